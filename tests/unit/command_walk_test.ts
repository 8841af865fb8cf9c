import assert from "node:assert/strict";
import { AuthManager } from "../../src/auth/manager.ts";
import { SecretManager } from "../../src/secret/manager.ts";
import { FakeKeyring } from "../support/keyring/fake_keyring.ts";
import { filesThatRun } from "../support/process/files_that_run.ts";
import { testEnvironment } from "../support/store/environment.ts";

// How many files above the store a maintainer opens who follows such a call.
const MOST_FILES = { verification: 13, rotation: 13 };

const ROOMS = /^(auth|users|cluster|secret|jwt)\//;

Deno.test("a verification and a rotation with a keyring pass few files", async () => {
  const keyring = new FakeKeyring();
  using environment = testEnvironment(() => keyring.addon());
  const first = new SecretManager(environment);
  await first.getOrCreate();
  // The second rotation is like every later one.
  await first.rotate();
  const { token } = await new AuthManager(first).issue({ subject: "alice", lifetime: 60 });
  first.close();

  const verifying = new SecretManager(environment);
  const verification = await filesThatRun(async () => {
    assert.equal((await verifying.verify(token)).version, 2);
    assert.ok(await verifying.flushNotes());
  });
  verifying.close();
  mustBeFew(verification, MOST_FILES.verification, "jwt/verifier.ts");

  const rotating = new SecretManager(environment);
  const rotation = await filesThatRun(() => rotating.rotate());
  rotating.close();
  mustBeFew(rotation, MOST_FILES.rotation, "secret/rotate.ts");
});

function mustBeFew(files: readonly string[], most: number, seen: string): void {
  const counted = files.filter((file) => ROOMS.test(file));
  assert.ok(counted.includes(seen), "the test must have seen the call");
  assert.ok(counted.length <= most, `${counted.length} files: ${counted.join(", ")}`);
}
