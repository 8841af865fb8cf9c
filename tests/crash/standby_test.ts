import assert from "node:assert/strict";
import { Box } from "../support/process/box.ts";
import {
  killActivations,
  killPreparations,
  killRotationsOverPrepared,
  killTimers,
} from "../support/faults/standby_crash.ts";
import { KeyringBox } from "../support/keyring/keyring_box.ts";
import { sample, THOROUGH } from "../support/process/sample.ts";

// Between two calls that a command is killed at.
const STRIDE = THOROUGH ? 9 : 70;

const LOCATIONS: [name: string, start: () => Promise<Box>][] = [
  ["keyring", () => KeyringBox.start()],
  ["database", () => Promise.resolve(new Box())],
];

const KILLS: [what: string, kill: typeof killPreparations][] = [
  ["a preparation that is killed anywhere has made a whole version, or none", killPreparations],
  ["an activation that is killed anywhere has happened or has not", killActivations],
  [
    "a rotation that is killed drops a prepared version only if it happens",
    killRotationsOverPrepared,
  ],
  ["a timer that is killed in either step goes on with the next run", killTimers],
];

// The keyring has the first and third of them, the database the others, which need more kills.
for (const [at, [location, start]] of LOCATIONS.entries()) {
  for (const [what, kill] of sample(KILLS, 2, at)) {
    Deno.test(`${location}: ${what}`, async () => {
      const box = await start();
      try {
        await box.run(["init"]);
        // However few calls there are before the commit or after it: closer to each other until there was a kill in both.
        for (let stride = STRIDE, [done, undone] = [0, 0]; done === 0 || undone === 0;) {
          assert.ok(stride >= 1, `${done} done, ${undone} undone`);
          const kills = await kill(box, Math.floor(stride));
          [done, undone, stride] = [done + kills.done, undone + kills.undone, stride / 2];
        }
        assert.equal((await box.json("audit", "verify")).valid, true);
      } finally {
        if (box instanceof KeyringBox) await box[Symbol.asyncDispose]();
        else box[Symbol.dispose]();
      }
    });
  }
}
