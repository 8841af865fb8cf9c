import assert from "node:assert/strict";
import type { Box } from "../support/process/box.ts";
import {
  assertPlainRefusal,
  assertWhole,
  inUse,
  type Machine,
  ROTATE,
} from "../support/faults/faults.ts";
import { putDatabase } from "../support/faults/specimen.ts";
import { sample } from "../support/process/sample.ts";

/** Pages of the database, and what damage does to each. */
const PAGE = 4_096;
const DAMAGE: {
  readonly what: string;
  readonly damage: (bytes: Uint8Array) => Generator<Uint8Array>;
  /** Which of them are tried: see `sample`. */
  readonly every: number;
  readonly first: number;
}[] = [
  {
    what: "a page of junk",
    damage: function* (bytes) {
      for (let at = PAGE; at < bytes.length; at += PAGE) {
        const damaged = bytes.slice();
        // As an older disk would give back a sector of something else.
        for (let i = 0; i < PAGE; i++) damaged[at + i] = (i * 167 + at / PAGE * 31) & 0xff;
        yield damaged;
      }
    },
    every: 7,
    first: 0,
  },
  {
    what: "a page of zeros",
    damage: function* (bytes) {
      for (let at = PAGE; at < bytes.length; at += PAGE) yield bytes.slice().fill(0, at, at + PAGE);
    },
    every: 7,
    first: 3,
  },
  {
    what: "an end that is missing",
    damage: function* (bytes) {
      for (const left of [100, PAGE, bytes.length >> 1, bytes.length - PAGE, bytes.length - 1]) {
        yield bytes.slice(0, left);
      }
    },
    every: 1,
    first: 0,
  },
];
for (const { what, damage, every, first } of DAMAGE) {
  Deno.test(`a database with ${what}: plain refusals; a backup brings everything back`, async () => {
    const { box, machine } = await inUse();
    using _box = box;
    const bytes = Deno.readFileSync(box.database);
    let refused = 0;
    for (const damaged of sample([...damage(bytes)], every, first)) {
      for (const args of [ROTATE, ["issue", "--sub", "a"], ["init"], ["verify", machine.token]]) {
        putDatabase(box.database, damaged);
        const ended = await box.run(args);
        if (ended.code === 0) {
          await assertRight(box, machine, args[0]!, ended.stdout);
          continue;
        }
        refused++;
        // A version that is gone from the table is unknown; the token is not at fault.
        const exits = args[0] === "verify" ? [3, 4] : [4];
        assertPlainRefusal(ended, { exits, command: args[0] });
      }
    }
    assert.ok(refused >= 5, `refused ${refused} times`);
    putDatabase(box.database, bytes);
    await assertWhole(box, machine, false);
  });
}

/** What a command did on a file that was damaged somewhere else than where it looked. */
async function assertRight(box: Box, { version, token }: Machine, command: string, stdout: string) {
  if (command === "init") {
    assert.match(stdout, new RegExp(`^Already there: .* version ${version} `));
  }
  if (command === "rotate") assert.notEqual((await box.run(["verify", token])).code, 0);
  if (command === "verify") {
    assert.match(stdout, new RegExp(`^valid: signed with version ${version} `));
  }
}
