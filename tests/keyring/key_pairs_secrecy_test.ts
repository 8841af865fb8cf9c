import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { Serving } from "../support/http/serving.ts";
import { ACCOUNT, KeyringBox } from "../support/keyring/keyring_box.ts";
import { assertNowhere, finder, spellings } from "../support/leaks/leaks.ts";
import { sample } from "../support/process/sample.ts";
import { ageFlags } from "../support/store/backing_up.ts";

// A hook is a child of rekey's: what it and its parent were given is written to a file, which is searched like all.
const HOOK =
  "cat /proc/$$/environ /proc/$$/cmdline /proc/$PPID/environ /proc/$PPID/cmdline >> hooks";

const PATHS = [
  "/",
  "/health",
  "/ready",
  "/metrics",
  "/status",
  "/openapi.json",
  "/.well-known/jwks.json",
];

for (const alg of sample(["ES256", "Ed25519", "RS256"], 2)) {
  Deno.test(`the private keys for ${alg} are in nothing that their whole life leaves or prints`, async () => {
    await using box = await KeyringBox.start();
    const texts: string[] = [];
    const values = new Set<string>();
    const run = async (...args: string[]) => {
      const { code, stdout, stderr } = await box.run(args, { env: { REKEY_DEBUG: "1" } });
      texts.push(stdout, stderr);
      for (const account of [ACCOUNT, `${ACCOUNT}.v1`, `${ACCOUNT}.v2`]) {
        const value = await box.lookup(account);
        // One that the test has damaged ends so.
        if (value !== undefined && !value.endsWith("!")) values.add(value);
      }
      return { code, stdout, stderr };
    };
    const done = async (...args: string[]) => {
      const { code, stdout, stderr } = await run(...args);
      assert.equal(code, 0, `${args}: ${stderr}`);
      return stdout;
    };
    const search = () => assertNowhere(box, [...values].flatMap(spellings), ...texts);
    const age = await ageFlags(box);

    await done("init", "--alg", alg, "--mirror", "on", "--json");
    const token = (await done("issue", "--sub", "alice", "--quiet")).trim();
    const serving = await Serving.start(box);
    await done("rotate", "--force", "--grace", "1h", "--before", HOOK, "--after", HOOK);
    const newer = (await done("issue", "--sub", "alice", "--quiet")).trim();
    search();
    for (const path of PATHS) texts.push(await (await serving.get(path, token)).text());
    assert.equal(await serving.auth(token), 204);
    await done("exec", "--env", "SIGNING_KEY", "--", "true");
    for (const args of [["status"], ["doctor"], ["stats"], ["store", "show"], ["audit", "list"]]) {
      await done(...args, "--json");
    }
    await done("audit", "export");
    await done("backup", "plain");
    await done("backup", "sealed", "--with-secret", ...age.seal);
    await done("store", "move", "database");
    await done("kek", "rotate");
    search();
    await done("store", "move", "keyring");
    await done("rotate", "--force", "--alg", "HS512");
    // Refusals: what they quote is not the key.
    const damaged = [...values][0]!;
    await box.store(damaged);
    assert.notEqual((await run("issue", "--sub", "a")).code, 0);
    await box.store(`${damaged.slice(0, -8)}!`);
    assert.notEqual((await run("verify", token)).code, 0);
    assert.notEqual((await run("init", "--alg", alg)).code, 0);
    await done("restore", "sealed", "--force", ...age.open);
    await done("verify", newer);
    search();
    await serving.stop();
    texts.push(serving.stdout, serving.stderr);
    search();
    assert.ok(values.size >= 3, `${values.size} values`);
    assert.match(Deno.readTextFileSync(join(box.home, "hooks")), /rotate/);
    await done("destroy", "--force");
    const has = finder([...values].flatMap(spellings));
    const left = [...box.files()].filter(([path]) => !path.includes("/keyrings/"));
    for (const [path, bytes] of left) assert.ok(!has(Buffer.from(bytes)), path);
  });
}
