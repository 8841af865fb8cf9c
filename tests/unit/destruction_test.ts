import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { isRekeyError } from "../../src/core/errors.ts";
import { LiveSecrets } from "../../src/secret/live_secrets.ts";
import { SecretManager } from "../../src/secret/manager.ts";
import { SYSTEM } from "../../src/system/system.ts";
import { type TestEnvironment, testEnvironment } from "../support/store/environment.ts";
import { connect } from "../support/store/sql.ts";
import type { FileSystem } from "../../src/system/files.ts";

/** A system where files stay that are open. */
function holding(remove: (path: string) => void): Disposable {
  const { files } = SYSTEM;
  const others: FileSystem = {
    ...files,
    canMoveOpenFiles: false,
    remove: (path) => (remove(path), files.remove(path)),
  };
  Object.assign(SYSTEM, { files: others });
  return { [Symbol.dispose]: () => Object.assign(SYSTEM, { files }) };
}

const pathOf = ({ folders }: TestEnvironment) => join(folders.data, "agiworkforce.db");

const noValue = () => Promise.reject(new Error("No value is asked for"));

Deno.test("a program that opens the database while it is destroyed: a second destroy finishes", async () => {
  using environment = testEnvironment();
  const path = pathOf(environment);
  const manager = new SecretManager(environment);
  await manager.getOrCreate();
  let other: DatabaseSync | undefined;
  using _ = holding((file) => {
    // The first file to go is the key, after the check and before the database.
    other ??= connect(path);
    other.prepare("SELECT count(*) FROM rekey_meta").get();
    if (file === path) throw Object.assign(new Error("open"), { code: "EBUSY" });
  });
  await assert.rejects(manager.destroy(), (error) => {
    assert.ok(isRekeyError(error, "database_unusable"), String(error));
    assert.match(error.message, /^The secret is gone, its file is not: .* has it open$/);
    assert.match(error.hint!, /`rekey destroy` again/);
    return true;
  });
  manager.close();
  assert.ok(existsSync(path));
  const server = new LiveSecrets(environment, noValue);
  assert.throws(() => server.view(), (error) => isRekeyError(error, "not_initialised"));
  // Whatever comes next tries to finish it.
  const next = new SecretManager(environment);
  await assert.rejects(next.get(), (error) => {
    assert.ok(isRekeyError(error, "database_unusable"), String(error));
    assert.match(error.hint!, /^Its destruction was begun\. End the programs/);
    return true;
  });
  next.close();
  server.close();
  other!.close();
});

Deno.test("a file that could not be deleted holds nothing, and goes with the next destroy", async () => {
  using environment = testEnvironment();
  const path = pathOf(environment);
  const manager = new SecretManager(environment);
  const { secret } = await manager.getOrCreate();
  {
    using _ = holding((file) => {
      if (file === path) throw Object.assign(new Error("open"), { code: "EBUSY" });
    });
    await assert.rejects(manager.destroy());
  }
  manager.close();
  const left = Deno.readFileSync(path);
  assert.ok(!new TextDecoder("latin1").decode(left).includes(secret.kid));
  const again = new SecretManager(environment);
  assert.equal(await again.destroy(), true);
  assert.ok(!existsSync(path));
  assert.equal(await again.destroy(), false);
  again.close();
});
