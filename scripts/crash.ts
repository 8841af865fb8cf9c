/**
 * `deno task crash [KILLS]`: kills the compiled binary that often during `rotate`, on both locations, and
 * reports what was found. Stops at the first machine that is not as it must be.
 */
import { Box } from "../tests/support/box.ts";
import { type CrashReport, killRotations } from "../tests/support/crash.ts";
import { KeyringBox } from "../tests/support/keyring.ts";

const kills = Number(Deno.args[0] ?? 1_000);

const database = new Box();
await database.run(["init"]);
print("database", await killRotations(database, kills));
database[Symbol.dispose]();

const keyring = await KeyringBox.start();
await keyring.run(["init"]);
print("keyring", await killRotations(keyring, kills));
await keyring[Symbol.asyncDispose]();

function print(location: string, { kills, survived, phases }: CrashReport): void {
  const found = Object.entries(phases).map(([phase, count]) => `${phase} ${count}`).join(", ");
  const line =
    `${location}: ${kills} kills, ${survived} rotations ended before theirs; found ${found}; every machine had one secret\n`;
  Deno.stdout.writeSync(new TextEncoder().encode(line));
}
