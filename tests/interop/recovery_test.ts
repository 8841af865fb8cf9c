import assert from "node:assert/strict";
import { join } from "node:path";
import { Box } from "../support/process/box.ts";
import { openSealed } from "../support/store/sealed.ts";
import { succeeds } from "../../scripts/program.ts";

const SCRIPT = join(import.meta.dirname!, "recover_by_hand.py");
const LIBRARY = "import jwcrypto";

const installed = succeeds("/usr/bin/python3", ["-c", LIBRARY]);

function test(name: string, fn: () => Promise<void>): void {
  const why = installed ? "" : " (not installed: python3-jwcrypto)";
  Deno.test({ name: `${name}${why}`, ignore: !installed, fn });
}

function recover(box: Box, ...args: string[]) {
  return box.exec("/usr/bin/python3", [SCRIPT, box.database, ...args]);
}

test("a Python script opens the sealed value by what docs/storage.md says", async () => {
  using box = new Box();
  await box.run(["init"]);
  await box.run(["rotate", "--force"]);
  const [kek] = [...box.files().keys()].filter((path) => path.endsWith(".kek"));
  const { code, stdout, stderr } = await recover(box, kek!);
  assert.equal(code, 0, stderr);
  assert.equal(stdout.trim(), (await openSealed(box)).value);
  const other = join(box.home, "other");
  Deno.writeTextFileSync(other, "ab".repeat(32));
  assert.equal((await recover(box, other)).code, 1);
});

test("and one under a passphrase", async () => {
  using box = new Box();
  const passphrase = join(box.home, "passphrase");
  Deno.writeTextFileSync(passphrase, "correct horse battery staple\n", { mode: 0o600 });
  const env = { REKEY_PASSPHRASE_FILE: passphrase };
  await box.run(["init"], { env });
  const { stdout: token } = await box.run(["issue", "--sub", "alice", "--quiet"], { env });
  const { code, stdout: value, stderr } = await recover(box, "--passphrase", passphrase);
  assert.equal(code, 0, stderr);
  // What it found is what tokens are signed with.
  const { stdout } = await box.exec("/usr/bin/python3", [
    "-c",
    "import sys, hmac, hashlib, base64; head, _, sign = sys.argv[1].rpartition('.'); " +
    "own = hmac.new(sys.stdin.read().strip().encode(), head.encode(), hashlib.sha512).digest(); " +
    "print(base64.urlsafe_b64encode(own).decode().rstrip('=') == sign)",
    token.trim(),
  ], { stdin: value });
  assert.equal(stdout.trim(), "True");
});
