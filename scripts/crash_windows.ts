/**
 * `deno task crash-windows [TIMES]`: terminates rotations of the binary for Windows under Wine, half of them with the
 * secret in the keyring, half in the database, and reports the states that they leave. Stops at the first wrong state.
 */
import { WindowsBox } from "../tests/support/windows/box.ts";
import { terminateRotations } from "../tests/support/windows/terminations.ts";
import type { Location } from "../tests/support/windows/tests.ts";

const times = Math.ceil(Number(Deno.args[0] ?? 200) / 2);

await Promise.all([inLocation("keyring", {}), inLocation("database", { REKEY_STORE: "database" })]);

async function inLocation(location: Location, env: Record<string, string>): Promise<void> {
  await using box = await WindowsBox.boot(env);
  await box.json("init");
  const { terminations, survived, found } = await terminateRotations(box, times);
  const counts = Object.entries(found).map(([state, count]) => `${state} ${count}`).join(", ");
  const line =
    `${location}: ${terminations} terminations, ${survived} rotations ended before theirs; ` +
    `found ${counts}; every machine had one secret\n`;
  Deno.stdout.writeSync(new TextEncoder().encode(line));
}
