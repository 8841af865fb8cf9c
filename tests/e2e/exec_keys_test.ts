import assert from "node:assert/strict";
import { basename, dirname, join } from "node:path";
import type { Box } from "../support/process/box.ts";
import { initialised } from "../support/process/initialised.ts";
import { Running, suspend } from "../support/process/running.ts";
import { queryRow } from "../support/store/sql.ts";
import { pause, until } from "../support/timing/pause.ts";

// Says where its file is, and its keys' kids each time that it is told, and waits.
const READER = [
  "/usr/bin/python3",
  "-c",
  `
import json, os, signal, time
def say(word):
    with open(os.environ["REKEY_KEYS_FILE"]) as file:
        kids = [key["kid"] for key in json.load(file)["keys"]]
    os.write(1, (" ".join([word, os.environ["REKEY_KEYS_FILE"], *kids]) + "\\n").encode())
signal.signal(signal.SIGHUP, lambda *_: say("told"))
say("ready")
while True: time.sleep(60)
`,
];

/** Where the file is, and the kids that the program has seen in it, the last time. */
function seen({ stdout }: Running): { path: string; kids: string[] } {
  const [, path, ...kids] = stdout.trim().split("\n").at(-1)!.split(" ");
  return { path: path!, kids };
}

const kidOf = async (box: Box): Promise<string> => (await box.json("status")).kid;

Deno.test("exec --keys-file: a private file in memory, which goes with the program", async () => {
  using box = await initialised();
  const first = await kidOf(box);
  let path: string;
  {
    await using running = await Running.start(box, READER, { flags: ["--keys-file"] });
    ({ path } = seen(running));
    assert.deepEqual(seen(running).kids, [first]);
    assert.equal(Deno.statSync(path).mode! & 0o777, 0o600);
    assert.equal(Deno.statSync(dirname(path)).mode! & 0o777, 0o700);
    assert.ok(["/run", "/dev/shm"].includes(dirname(dirname(path))), path);
    const keys = await box.exec("/usr/bin/cat", [path]);
    const { kty, alg, use, k } = JSON.parse(keys.stdout).keys[0];
    assert.deepEqual([kty, alg, use], ["oct", "HS512", "sig"]);
    const value = (await box.run(["exec", "--", "printenv", "JWT_SECRET"])).stdout.trim();
    assert.equal(
      new TextDecoder().decode(Uint8Array.fromBase64(k, { alphabet: "base64url" })),
      value,
    );
    // Without --on-rotate the program is told nothing, and the file follows all the same.
    await box.json("rotate", "--force", "--grace", "1h");
    const second = await kidOf(box);
    await running.until(() => kidsIn(keysOf(path)).join() === [second, first].join());
    await box.json("rotate", "--force");
    assert.deepEqual(kidsIn(keysOf(path)), [await kidOf(box)], "nothing old once rotate has ended");
    const holders = (await box.json("rotate", "--force")).stale_processes;
    assert.deepEqual(holders, []);
    Deno.kill(running.id, "SIGTERM");
    await running.ended();
  }
  assert.throws(() => Deno.statSync(dirname(path)), Deno.errors.NotFound);
});

// The runtime does not open files below /dev.
function keysOf(path: string): string {
  const { stdout } = new Deno.Command("/usr/bin/cat", { args: [path] }).outputSync();
  return new TextDecoder().decode(stdout);
}

const kidsIn = (keys: string): string[] =>
  JSON.parse(keys).keys.map(({ kid }: { kid: string }) => kid);

Deno.test("exec --keys-file: the program is told of the next key before it signs, and of each end", async () => {
  using box = await initialised();
  const flags = ["--keys-file", "--on-rotate", "signal:HUP"];
  await using running = await Running.start(box, READER, { flags });
  const first = await kidOf(box);
  await box.json("rotate", "--force", "--grace", "1h");
  const second = await kidOf(box);
  await running.until(() => seen(running).kids.join() === [second, first].join());
  const told = running.stdout.trim().split("\n").map((line) => line.split(" ").slice(2));
  const isInTime = waitedBeforeCommit(box) < WAITS_MS;
  if (isInTime) assert.deepEqual(told, [[first], [first, second], [second, first]]);
  await box.json("revoke");
  await running.until(() => seen(running).kids.join() === second);
});

// How long a rotation waits before its commit for a file of keys, at most.
const WAITS_MS = 3_000;

/** How long the newest rotation has waited before its commit, in milliseconds. */
function waitedBeforeCommit(box: Box): number {
  const times = "SELECT created_at, activated_at FROM rekey_versions ORDER BY version DESC LIMIT 1";
  const { created_at, activated_at } = queryRow(box, times)!;
  return activated_at - created_at;
}

Deno.test("exec --keys-file: rotate --grace does not commit while exec stands still, until three seconds are over", async () => {
  using box = await initialised();
  await using running = await Running.start(box, READER, { flags: ["--keys-file"] });
  const isBegun = () => queryRow(box, "SELECT 1 FROM rekey_versions WHERE state = 'pending'");
  for (const still of [700, undefined]) {
    await suspend(running.id);
    const rotating = box.json("rotate", "--force", "--grace", "1h");
    await until(() => isBegun() !== undefined);
    if (still === undefined) await rotating;
    else await pause(still);
    Deno.kill(running.id, "SIGCONT");
    await rotating;
    assert.ok(waitedBeforeCommit(box) >= (still ?? WAITS_MS), `${waitedBeforeCommit(box)} ms`);
    const kid = await kidOf(box);
    await until(() => kidsIn(keysOf(seen(running).path)).includes(kid));
  }
});

Deno.test("exec --keys-dir: the folder that is named, and what a killed exec has left there goes", async () => {
  using box = await initialised();
  const folder = join(box.home, "keys");
  Deno.mkdirSync(folder, { mode: 0o700 });
  const flags = ["--keys-dir", folder];
  await using killed = await Running.start(box, READER, { flags });
  const [child] = killed.children();
  const { path } = seen(killed);
  assert.equal(dirname(dirname(path)), folder);
  Deno.kill(killed.id, "SIGKILL");
  Deno.kill(child!, "SIGKILL");
  await killed.ended();
  assert.ok(Deno.statSync(path).isFile, "SIGKILL leaves it");
  {
    await using running = await Running.start(box, READER, { flags });
    const left = [...Deno.readDirSync(folder)].map(({ name }) => name);
    assert.deepEqual(left, [basename(dirname(seen(running).path))]);
    Deno.kill(running.id, "SIGTERM");
    await running.ended();
  }
  assert.deepEqual([...Deno.readDirSync(folder)], []);
  Deno.chmodSync(folder, 0o777);
  const refused = await box.run(["exec", ...flags, "--", "true"]);
  assert.deepEqual([refused.code, refused.stdout], [4, ""]);
  assert.match(refused.stderr, /can be written by every user/);
});
