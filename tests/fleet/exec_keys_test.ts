import assert from "node:assert/strict";
import { Etcd, Fleet, must } from "../support/cluster/etcd.ts";
import type { Box } from "../support/process/box.ts";
import { Running } from "../support/process/running.ts";
import { until } from "../support/timing/pause.ts";

// Says where its file is, and waits.
const READER = [
  "/usr/bin/python3",
  "-c",
  `import os, time; os.write(1, ("ready " + os.environ["REKEY_KEYS_FILE"] + "\\n").encode()); time.sleep(600)`,
];

const kidsIn = (path: string): string[] =>
  JSON.parse(Deno.readTextFileSync(path)).keys.map(({ kid }: { kid: string }) => kid);

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
      within: 15_000,
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
    await must(two, "revoke");
    assert.deepEqual(kidsIn(paths[1]!), [await kidOf(two)]);
    await all(await kidOf(two));
    await must(one, "rotate", "--force");
    assert.deepEqual(kidsIn(paths[0]!), [await kidOf(one)]);
    await all(await kidOf(one));
  });
});
