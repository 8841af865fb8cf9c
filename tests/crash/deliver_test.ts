import assert from "node:assert/strict";
import { join } from "node:path";
import { Verifier } from "../support/deliver/verifier.ts";
import { type Box, REKEY } from "../support/process/box.ts";
import { initialised } from "../support/process/initialised.ts";
import { THOROUGH } from "../support/process/sample.ts";

/** Steps that leave something behind: each is a moment to be killed at. */
const CALLS =
  "pwrite64,fsync,fdatasync,ftruncate,rename,renameat,renameat2,unlink,unlinkat,fchmod,clone,clone3,vfork";

async function killAt(
  box: Box,
  call: number,
  args: string[],
  calls = CALLS,
): Promise<boolean> {
  const inject = `inject=${calls}:signal=SIGKILL:when=${call}`;
  const flags = ["-f", "-qq", "-e", `trace=${calls}`, "-e", inject, "-o", "/dev/null"];
  const ended = await box.exec("/usr/bin/strace", [...flags, REKEY, ...args]);
  return ended.code !== 0;
}

/** Three programs: one reads its file for each request, one on a signal, one signs. */
async function consumers(box: Box): Promise<{ verifiers: Verifier[]; key: string }> {
  const path = (name: string) => join(box.home, name);
  const each = await Verifier.start(path("each.json"));
  const add = async (...args: string[]) => {
    const added = await box.run(["deliver", "add", ...args]);
    assert.equal(added.code, 0, added.stderr);
  };
  const jwks = (name: string) => [name, "--format", "jwks", "--path", path(`${name}.json`)];
  await add(...jwks("each"), "--probe-url", each.url);
  Deno.copyFileSync(path("each.json"), path("hangup.json"));
  const hangup = await Verifier.start(path("hangup.json"), "hangup");
  const reload = ["--reload", `kill -HUP ${hangup.pid}`, "--probe-url", hangup.url, "--force"];
  await add(...jwks("hangup"), ...reload);
  await add("signer", "--format", "text", "--role", "signer", "--path", path("key"));
  return { verifiers: [each, hangup], key: path("key") };
}

/** Keys, files and programs agree: after any next command. */
async function assertAgreement(
  box: Box,
  { verifiers, key }: Awaited<ReturnType<typeof consumers>>,
  tokens: readonly string[],
): Promise<void> {
  await box.run(["status"]);
  const { stdout } = await box.run(["deliver", "list", "--json"]);
  const facts = stdout.trim().split("\n").map((line) => JSON.parse(line));
  const { kid, grace } = await box.json("status");
  for (const { name, followed, role, confirmed } of facts) {
    assert.ok(followed, `${name} has not followed: ${stdout}`);
    const wanted = role === "signer"
      ? [kid]
      : [kid, ...grace.map((row: { kid: string }) => row.kid)];
    assert.deepEqual(confirmed, wanted, name);
  }
  const fresh = await box.token();
  for (const token of [fresh, ...tokens]) {
    const isValid = (await box.json("verify", token)).valid === true;
    for (const verifier of verifiers) assert.equal(await verifier.accepts(token), isValid);
  }
  const inEach = JSON.parse(Deno.readTextFileSync(join(box.home, "each.json"))).keys
    .find((one: { kid: string }) => one.kid === kid);
  const bytes = new TextEncoder().encode(Deno.readTextFileSync(key));
  assert.equal(bytes.toBase64({ alphabet: "base64url", omitPadding: true }), inEach.k);
  const left = [...Deno.readDirSync(box.home)].filter(({ name }) => name.includes(".rekey-"));
  assert.deepEqual(left, [], "no temporary file stays");
}

for (const [what, args] of [["graceful", ["--grace", "1h"]], ["incident", []]] as const) {
  Deno.test(`after a kill at any step of a ${what} rotation, keys, files and programs agree`, async () => {
    using box = await initialised();
    const programs = await consumers(box);
    try {
      const step = THOROUGH ? 1 : 13;
      let kills = 0;
      for (let call = 1;; call += step) {
        // Windows that stay open would make each look longer.
        await box.run(["revoke"]);
        const tokens = [await box.token()];
        const killed = await killAt(box, call, ["rotate", "--force", ...args]);
        await assertAgreement(box, programs, tokens);
        if (!killed) break;
        kills++;
      }
      assert.ok(kills > 8, `${kills} kills`);
      assert.equal((await box.run(["audit", "verify"])).code, 0);
    } finally {
      for (const verifier of programs.verifiers) await verifier.stop();
    }
  });
}

/** A file for each key, as Dovecot has them. */
const FOLDER = {
  ...{ name: "folder", summary: "a folder", program: "any", role: "verifier", keys: "many" },
  ...{ algorithms: ["HS512"], reload_kind: "at once", connections: "stay" },
  ...{ layout: "folder", file_name: "{{kid}}", format: "text" },
};

Deno.test("a kill at any rename of a graceful rotation leaves no temporary file with a key", async () => {
  using box = await initialised();
  const [preset, folder, file] = ["preset.json", "keys", "keys.json"].map((name) =>
    join(box.home, name)
  );
  Deno.writeTextFileSync(preset!, JSON.stringify(FOLDER));
  await box.run(["deliver", "add", "folder", "--preset-file", preset!, "--path", folder!]);
  await box.run(["deliver", "add", "file", "--format", "jwks", "--path", file!]);
  const rotate = ["rotate", "--force", "--grace", "1h"];
  let kills = 0;
  while (await killAt(box, kills + 1, rotate, "rename,renameat,renameat2")) {
    kills++;
    assert.equal((await box.run(["revoke"])).code, 0);
    const names = [...box.files().keys()];
    assert.deepEqual(names.filter((name) => name.includes(".rekey-")), [], `kill ${kills}`);
    const { kid } = await box.json("status");
    assert.deepEqual([...Deno.readDirSync(folder!)].map(({ name }) => name), [kid]);
  }
  assert.ok(kills >= 3, `${kills} kills`);
});
