/**
 * `warm_up.ts HOW FOLDER TOKEN RING_TOKEN RING_SECRET [again]`: runs commands with the scripts in a folder, and writes V8
 * code caches, so that the binary does not compile the scripts at each start. HOW is `often`, for the scripts that the most
 * frequent commands read, which get the code of these commands only; `late`, for all others; or `rotate`, for what a
 * rotation calls of the script that each start reads. The secret of the app `ring` is in a fake keyring.
 */
import { codeName, scriptName, Scripts } from "../src/boot/main.ts";
import { EARLY_SCRIPT, FREQUENT_SCRIPTS } from "./chunks.ts";
import { FakeBus, FakeService } from "../tests/support/keyring/fake_bus.ts";
import { pause } from "../tests/support/timing/pause.ts";

type How = "often" | "late" | "rotate";

const [how, folder, token, ringToken, ringSecret, again] = Deno.args as [
  ...[How, string, string, string, string],
  string?,
];
const QUIET_MS = 500;
const { exit } = Deno;
slowDownClock();
const rotates = how === "rotate";
const scripts = new Scripts(folder, undefined, rotates);
const { start } = scripts.require(`${EARLY_SCRIPT}:main`) as { start: () => Promise<void> };
const RUNS = { often: runOften, late: runLate, rotate };
await RUNS[how]();
// V8 marks functions that it is optimizing, and the cache would contain the marks.
await pause(QUIET_MS);
for (const [name, code] of scripts.compiled()) {
  if (!isOfThisRun(name)) continue;
  if (again !== undefined && !scripts.tookCode(name)) {
    throw new Error(`V8 rejects its own code cache of ${name}`);
  }
  Deno.writeFileSync(`${folder}/${codeName(scriptName(name), rotates)}`, code);
}
exit(0);

// What the program calls must not depend on how busy the machine is, or two builds differ: a commit waits if its database
// was opened less than a millisecond before (`outlastLooks`). A clock that stood still would never end a wait for a time.
function slowDownClock(): void {
  let now = 0;
  performance.now = () => now += 0.001;
}

function isOfThisRun(script: string): boolean {
  if (rotates) return script === EARLY_SCRIPT;
  return FREQUENT_SCRIPTS.includes(script) === (how === "often");
}

async function runOften(): Promise<void> {
  const service = new FakeService(new TextEncoder().encode(ringSecret));
  await using bus = new FakeBus(service.script());
  Deno.env.set("DBUS_SESSION_BUS_ADDRESS", bus.address);
  const ring = ["--app", "ring"];
  const lines = [["verify", token], ["status"], ["verify", ringToken, ...ring], [
    "status",
    ...ring,
  ]];
  for (const args of lines) {
    for (const more of [[], ["--json"]]) await rekey(...args, ...more);
  }
  if (bus.connections !== 4) throw new Error("No command has read the keyring");
}

async function runLate(): Promise<void> {
  for (const what of ["audit", "session", "user"]) await rekey(what, "list");
  await rekey("issue", "--sub", "someone");
  await rotate();
}

// `turn` has no tokens that a later run needs.
async function rotate(): Promise<void> {
  await rekey("rotate", "--force", "--app", "turn");
}

/** Runs a command line as the binary does. @throws {Error} when it fails. */
async function rekey(...args: string[]): Promise<void> {
  let status: number | undefined;
  Object.defineProperty(Deno, "args", { value: args, configurable: true });
  Deno.exit = ((code) => status = code) as typeof Deno.exit;
  await start();
  if (status !== 0) throw new Error(`rekey ${args[0]} failed`);
}
