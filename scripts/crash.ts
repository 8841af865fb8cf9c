/**
 * `deno task crash [KILLS [deliveries]]`: kills the compiled binary during `rotate`, in both locations, and reports the states that it
 * leaves; then rotations with deliveries, a fifth as often. Stops at the first wrong state.
 */
import { Box } from "../tests/support/process/box.ts";
import {
  type CrashReport,
  killDestructions,
  killMoves,
  killRestorations,
  killRotations,
} from "../tests/support/faults/crash.ts";
import { killDelivered } from "../tests/support/faults/delivered_crash.ts";
import { KeyringBox } from "../tests/support/keyring/keyring_box.ts";

const kills = Number(Deno.args[0] ?? 1_000);
// Each takes five times as long: programs are asked.
const delivered = Math.ceil(kills / 5);

if (Deno.args[1] !== "deliveries") await alone();
await withDeliveries();

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

async function withDeliveries(): Promise<void> {
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
