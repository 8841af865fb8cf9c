/**
 * `warm_up.ts FOLDER TOKEN RING_TOKEN RING_SECRET [again]`: runs the most frequent commands with the scripts in a folder,
 * and puts beside each script the code that V8 has made of it by then, so that the binary need not make it at each
 * start. The secret of the app `ring` is in a keyring that is made up.
 */
import { Scripts } from "../src/boot/script.ts";
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
if (bus.connections !== 4) throw new Error("The keyring was not asked");
if (again !== undefined && !scripts.tookCode("program")) throw new Error("V8 refuses its own code");
// Functions that V8 is just making machine code of are marked as such, and the marks would be in what is built.
await pause(QUIET_MS);
for (const [name, code] of scripts.compiled()) Deno.writeFileSync(`${folder}/${name}.code`, code);
exit(0);

/** Runs a command line as the binary's start does, and answers its exit status. */
async function rekey(...args: string[]): Promise<number | undefined> {
  let status: number | undefined;
  Object.defineProperty(Deno, "args", { value: args, configurable: true });
  Deno.exit = ((code) => status = code) as typeof Deno.exit;
  await start();
  return status;
}
