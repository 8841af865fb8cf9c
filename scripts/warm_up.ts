/**
 * `warm_up.ts FOLDER TOKEN RING_TOKEN RING_SECRET [again]`: runs the most frequent commands with the scripts in a folder,
 * and writes a V8 code cache for each script, so that the binary does not compile it at each start. The secret of the app
 * `ring` is in a fake keyring.
 */
import { Scripts } from "../src/boot/main.ts";
import { FakeBus, FakeService } from "../tests/support/keyring/fake_bus.ts";
import { pause } from "../tests/support/timing/pause.ts";

const [folder, token, ringToken, ringSecret, again] = Deno.args as [
  ...[string, string, string, string],
  string?,
];
const QUIET_MS = 500;
const { exit } = Deno;
const scripts = new Scripts(folder);
const { start } = scripts.require("program") as { start: () => Promise<void> };
const service = new FakeService(new TextEncoder().encode(ringSecret));
await using bus = new FakeBus(service.script());
Deno.env.set("DBUS_SESSION_BUS_ADDRESS", bus.address);
const ring = ["--app", "ring"];
for (
  const args of [["verify", token], ["status"], ["verify", ringToken, ...ring], ["status", ...ring]]
) {
  for (const more of [[], ["--json"]]) {
    if (await rekey(...args, ...more) !== 0) throw new Error(`rekey ${args[0]} failed`);
  }
}
if (bus.connections !== 4) throw new Error("No command has read the keyring");
if (again !== undefined && !scripts.tookCode("program")) {
  throw new Error("V8 rejects its own code cache");
}
// V8 marks functions that it is optimizing, and the cache would contain the marks.
await pause(QUIET_MS);
for (const [name, code] of scripts.compiled()) Deno.writeFileSync(`${folder}/${name}.code`, code);
exit(0);

/** Runs a command line as the binary does. @returns its exit status. */
async function rekey(...args: string[]): Promise<number | undefined> {
  let status: number | undefined;
  Object.defineProperty(Deno, "args", { value: args, configurable: true });
  Deno.exit = ((code) => status = code) as typeof Deno.exit;
  await start();
  return status;
}
