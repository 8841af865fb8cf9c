import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Verifier } from "../support/deliver/verifier.ts";
import { installed, unless } from "../support/faults/faults.ts";
import type { WindowsBox } from "../support/windows/box.ts";
import { onWindows } from "../support/windows/tests.ts";
import { until } from "../support/timing/pause.ts";
import { start } from "../../scripts/program.ts";

const WITHOUT_PYTHON = unless(installed("python3"), "python3, with PyJWT");

async function add(box: WindowsBox, name: string, ...flags: string[]) {
  return await box.run(["deliver", "add", name, "--path", box.path("keys", name), ...flags]);
}

async function succeeds(box: WindowsBox, ...args: string[]): Promise<string> {
  const { code, stderr } = await box.run(args);
  assert.equal(code, 0, `${args.join(" ")}: ${stderr}`);
  return stderr;
}

onWindows(
  "deliver writes text, env, json and jwks, follows rotations, and cleans up",
  async (box) => {
    await box.json("init");
    const formats = ["text", "env", "json", "jwks"];
    for (const format of formats) {
      const added = await add(box, format, "--format", format);
      assert.equal(added.code, 0, added.stderr);
    }
    const read = (name: string) => Deno.readTextFileSync(join(box.home, "keys", name));
    const kids = () => JSON.parse(read("jwks")).keys.map(({ kid }: { kid: string }) => kid);
    const agree = async () => {
      const { kid, grace } = await box.json("status");
      const { k } = JSON.parse(read("jwks")).keys[0];
      const text = new TextEncoder().encode(read("text"));
      assert.equal(text.toBase64({ alphabet: "base64url", omitPadding: true }), k);
      assert.match(read("env"), new RegExp(`^JWT_SECRET_KID="?${kid}"?$`, "m"));
      assert.equal(JSON.parse(read("json")).current, kid);
      assert.deepEqual(kids(), [kid, ...grace.map((row: { kid: string }) => row.kid)]);
    };
    await agree();
    await succeeds(box, "rotate", "--force", "--grace", "1h");
    assert.equal(kids().length, 2);
    await agree();
    await succeeds(box, "revoke");
    assert.equal(kids().length, 1);
    await agree();
    await succeeds(box, "rotate", "--force");
    await agree();
    const { stdout } = await box.exec("icacls", [box.path("keys", "text")]);
    assert.doesNotMatch(stdout, /Everyone|Users:/);
    const names = [...Deno.readDirSync(join(box.home, "keys"))].map(({ name }) => name);
    assert.deepEqual(names.sort(), formats.toSorted(), "no temporary file stays");
    Deno.writeTextFileSync(join(box.home, "keys", "env"), "mine");
    for (const format of formats) await succeeds(box, "deliver", "remove", format);
    assert.deepEqual([...Deno.readDirSync(join(box.home, "keys"))].map(({ name }) => name), [
      "env",
    ]);
  },
);

onWindows(
  "a program that reads its file is asked; its reload is run by cmd",
  async (box) => {
    await box.json("init");
    await using verifier = await Verifier.start(join(box.home, "keys", "api"));
    const reload = ["--reload", "echo %REKEY_DELIVERY% %REKEY_KID%>> reloads"];
    const added = await add(box, "api", "--format", "jwks", "--probe-url", verifier.url, ...reload);
    assert.equal(added.code, 0, added.stderr);
    const old = await box.token();
    await succeeds(box, "rotate", "--force");
    assert.ok(!await verifier.accepts(old));
    assert.ok(await verifier.accepts(await box.token()));
    const { kid } = await box.json("status");
    const reloads = Deno.readTextFileSync(join(box.home, "reloads")).trimEnd().split("\r\n");
    assert.equal(reloads.at(-1), `api ${kid}`);
    await succeeds(box, "deliver", "check");
    await verifier.stop();
    const refused = await box.run(["rotate", "--force", "--grace", "1h"]);
    assert.equal(refused.code, 5, refused.stderr);
    assert.ok(refused.stderr.includes(`could not reach ${verifier.url}`), refused.stderr);
    assert.equal((await box.json("status")).kid, kid);
  },
  ["database"],
  WITHOUT_PYTHON,
);

onWindows("deliver sync --watch puts back a file that is gone", async (box) => {
  await box.json("init");
  assert.equal((await add(box, "api", "--format", "jwks")).code, 0);
  const file = join(box.home, "keys", "api");
  const [program, ...args] = [...box.rekey, "deliver", "sync", "--watch"];
  const { env } = box.surroundings();
  const watch = start(program!, args, { clearEnv: true, env });
  try {
    Deno.removeSync(file);
    await until(() => existsSync(file));
    const { kid } = await box.json("status");
    await until(() => Deno.readTextFileSync(file).includes(kid));
  } finally {
    watch.kill("SIGKILL");
    await watch.status;
  }
}, ["database"]);

/** Paths at which no file can be. */
const IMPOSSIBLE: [parts: string[], told: RegExp][] = [
  [["keys"], /it is a folder/],
  [["file", "key"], /file is not a folder/],
  [["n".repeat(300)], /the name is too long/],
  [["NUL"], /Cannot use --path/],
];

onWindows(
  "deliver add refuses what is no place for a file, and rights that are Unix's",
  async (box) => {
    await box.json("init");
    Deno.mkdirSync(join(box.home, "keys"));
    Deno.writeTextFileSync(join(box.home, "file"), "");
    for (const [parts, told] of IMPOSSIBLE) {
      const flags = ["--format", "text", "--path", box.path(...parts), "--force"];
      const { code, stderr } = await box.run(["deliver", "add", "api", ...flags]);
      assert.notEqual(code, 0);
      assert.match(stderr, told);
      assert.doesNotMatch(stderr, /internal error|bug/);
    }
    const withMode = await add(box, "api", "--format", "text", "--mode", "0640");
    assert.equal(withMode.code, 2);
    assert.match(withMode.stderr, /access lists instead/);
    const elsewhere = await box.run(["deliver", "add", "api", "--format", "text"]);
    assert.match(elsewhere.stderr, /no memory-backed folder/);
    assert.equal((await box.run(["deliver", "list"])).stdout, "");
  },
  ["database"],
);
