import assert from "node:assert/strict";
import { Etcd, Fleet, must } from "../support/cluster/etcd.ts";
import type { Box } from "../support/process/box.ts";
import { Running } from "../support/process/running.ts";
import { until } from "../support/timing/pause.ts";
import { took } from "../support/timing/took.ts";

// Says where its file is, and waits.
const READER = [
  "/usr/bin/python3",
  "-c",
  `import os, time; os.write(1, ("ready " + os.environ["REKEY_KEYS_FILE"] + "\\n").encode()); time.sleep(600)`,
];

const kidsIn = (path: string): string[] =>
  JSON.parse(Deno.readTextFileSync(path)).keys.map(({ kid }: { kid: string }) => kid);

// A command waits for the file for three seconds at most (docs/exec.md); a machine may stand still for longer.
const WAITS_MS = 3_000;

/** Runs a command that ends keys in a file: those of the versions that `stays` does not name. */
async function endedAtOnce(
  path: string,
  work: () => Promise<unknown>,
  stays: readonly string[] = [],
): Promise<void> {
  const ended = kidsIn(path).filter((kid) => !stays.includes(kid));
  const waited = await took(work);
  const left = kidsIn(path).filter((kid) => ended.includes(kid));
  if (waited < WAITS_MS) assert.deepEqual(left, []);
}

Deno.test("files of exec --keys-file on each machine of a fleet follow", async (t) => {
  await using etcd = await Etcd.start(1);
  using fleet = await Fleet.start(etcd, 2, "keys");
  const [one, two] = fleet.machines as [Box, Box];
  await using here = await Running.start(one, READER, { flags: ["--keys-file"] });
  await using there = await Running.start(two, READER, { flags: ["--keys-file"] });
  const paths = [here, there].map(({ stdout }) => stdout.trim().split(" ")[1]!);
  const kidOf = async (box: Box) => (await must(box, "status")).kid;
  const all = (...kids: string[]) =>
    until(() => paths.every((path) => kidsIn(path).join() === kids.join()), {
      otherwise: () => JSON.stringify([kids, paths.map(kidsIn)]),
    });
  const first = await kidOf(one);
  await all(first);
  let second = "";

  await t.step("a rotation with a grace period, by both", async () => {
    await must(one, "rotate", "--force", "--grace", "1h");
    second = await kidOf(one);
    await all(second, first);
  });

  await t.step("one in two phases, with the next key before it is used", async () => {
    const { kid } = await must(two, "rotate", "--prepare");
    await all(second, kid, first);
    await must(two, "rotate", "--activate", "--grace", "1h");
    await all(kid, second, first);
    assert.equal(await kidOf(one), kid);
  });

  await t.step("a revocation and an incident, at once on the machine that makes them", async () => {
    await endedAtOnce(paths[1]!, () => must(two, "revoke"), [await kidOf(two)]);
    await all(await kidOf(two));
    await endedAtOnce(paths[0]!, () => must(one, "rotate", "--force"));
    await all(await kidOf(one));
  });
});
