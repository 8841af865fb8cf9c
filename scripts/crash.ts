/**
 * `deno task crash [KILLS [PART]]`: kills the compiled binary during `rotate`, in both locations, and reports the states
 * that it leaves; then during `rotate --alg` to a key pair and back (part `algorithms`), and rotations with deliveries, a
 * fifth as often (part `deliveries`). Stops at the first wrong state.
 */
import { killAlgorithmChanges } from "../tests/support/faults/algorithm_crash.ts";
import { Box } from "../tests/support/process/box.ts";
import {
  killDestructions,
  killMoves,
  killRestorations,
  killRotations,
} from "../tests/support/faults/crash.ts";
import type { CrashReport } from "../tests/support/faults/kill_series.ts";
import { killDelivered } from "../tests/support/faults/delivered_crash.ts";
import { KeyringBox } from "../tests/support/keyring/keyring_box.ts";

const kills = Number(Deno.args[0] ?? 1_000);
// Each takes five times as long: programs are asked.
const delivered = Math.ceil(kills / 5);

const PARTS = { alone, algorithms, deliveries };
for (const [name, part] of Object.entries(PARTS)) {
  if ((Deno.args[1] ?? name) === name) await part();
}

async function alone(): Promise<void> {
  const database = new Box();
  await database.run(["init"]);
  print("database", await killRotations(database, kills));
  database[Symbol.dispose]();

  const keyring = await KeyringBox.start();
  await keyring.run(["init"]);
  print("keyring", await killRotations(keyring, kills));
  say(
    `store move: ${await killMoves(
      keyring,
      1,
    )} kills, at every system call; every token stayed valid`,
  );
  say(
    `restore: ${await killRestorations(
      keyring,
      1,
    )} kills, at every system call; it had happened or not`,
  );
  await keyring.run(["destroy", "--force"]);
  say(
    `destroy: ${await killDestructions(
      keyring,
      1,
    )} kills, at every system call; the next command finished it`,
  );
  await keyring[Symbol.asyncDispose]();
}

async function algorithms(): Promise<void> {
  const keyring = await KeyringBox.start();
  const boxes = { database: new Box(), keyring };
  // At once: they wait for each other's disk, not for the processor.
  await Promise.all(
    Object.entries(boxes).map(async ([location, box]) => {
      await box.run(["init"]);
      print(`rotate --alg, ${location}`, await killAlgorithmChanges(box, kills));
    }),
  );
  boxes.database[Symbol.dispose]();
  await keyring[Symbol.asyncDispose]();
}

async function deliveries(): Promise<void> {
  const half = Math.ceil(delivered / 2);
  const graceful = await killDelivered("graceful", { step: 5, kills: half });
  const incidents = await killDelivered("incident", { step: 5, kills: delivered - half });
  say(
    `deliveries: ${
      graceful + incidents
    } kills, ${graceful} of them of graceful rotations; keys, files and three programs agreed after each`,
  );
}

function print(location: string, { kills, survived, phases }: CrashReport): void {
  const found = Object.entries(phases).map(([phase, count]) => `${phase} ${count}`).join(", ");
  say(
    `${location}: ${kills} kills, ${survived} rotations ended before theirs; found ${found}; every machine had one secret`,
  );
}

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
