/**
 * `deno task leaks [SUITE…]`: runs the suites that use the binary, or the named ones, with a binary that records each
 * secret, and searches for the secrets where none may be.
 */
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { finder, spellings } from "../tests/support/leaks/leaks.ts";
import {
  filesBelow,
  LEAKS_FOLDER,
  tracedIn,
  type WatchReport,
} from "../tests/support/leaks/watch.ts";
import { run } from "./program.ts";

const SUITES = ["tests/e2e", "tests/keyring", "tests/crash", "tests/interop"];
const SHARED = ["/tmp", "/var/tmp", "/dev/shm"];

// Not rekey's: its databases are smaller.
const LARGEST = 64e6;

Deno.chdir(join(import.meta.dirname!, ".."));
if (!await ranWell("the build", {}, "task", "--quiet", "build", "--traced")) Deno.exit(1);
// Not in a temporary folder: those are searched.
const folder = Deno.realPathSync(Deno.makeTempDirSync({ dir: "dist", prefix: "leaks-" }));
let failed = false;
try {
  const start = Date.now();
  const env = { REKEY_BINARY: join(Deno.cwd(), "dist/rekey-traced"), [LEAKS_FOLDER]: folder };
  for (const suite of Deno.args.length > 0 ? Deno.args : SUITES) {
    if (!await ranWell(suite, env, "test", "--allow-all", suite)) failed = true;
  }
  report(start);
} finally {
  Deno.removeSync(folder, { recursive: true });
}
if (failed) Deno.exit(1);

function report(start: number): void {
  const boxes = tracedIn(join(folder, "report.jsonl")).map((line) =>
    JSON.parse(line) as WatchReport
  );
  const shared = searchShared(start);
  const sum = (count: (box: WatchReport) => number) => boxes.reduce((n, box) => n + count(box), 0);
  const hits = [...boxes.flatMap((box) => box.hits), ...shared.hits];
  const secrets = sum((box) => box.secrets);
  for (const hit of hits) print(`A secret is in ${hit}`);
  const megabytes = ((sum((box) => box.bytes) + shared.bytes) / 1e6).toFixed(0);
  const commands = sum((box) => box.commands);
  print(
    `${secrets} secrets, ${commands} commands, ${megabytes} MB searched, ${hits.length} hits`,
  );
  if (hits.length > 0 || secrets === 0) failed = true;
}

/** Searches new files in the machine's temporary folders for all secrets. */
function searchShared(start: number): { bytes: number; hits: string[] } {
  const traces = [...filesBelow(folder)].filter((path) => path.endsWith(".trace"));
  const has = finder(traces.flatMap(tracedIn).flatMap(spellings));
  const hits: string[] = [];
  let searched = 0;
  for (const path of SHARED.flatMap((place) => newFiles(place, start))) {
    const bytes = content(path);
    searched += bytes.length;
    if (has(bytes)) hits.push(path);
  }
  return { bytes: searched, hits };
}

// Top-level entries that are older than the run belong to other programs.
function newFiles(place: string, start: number): string[] {
  const found: string[] = [];
  for (const { name, isDirectory, isFile, isSymlink } of Deno.readDirSync(place)) {
    const path = join(place, name);
    if (isSymlink || timeOf(path) < start) continue;
    if (isFile) found.push(path);
    if (isDirectory) found.push(...filesBelow(path));
  }
  return found.filter((path) => !path.startsWith(Deno.cwd()));
}

function timeOf(path: string): number {
  return ifThere(() => Deno.statSync(path).mtime?.getTime()) ?? 0;
}

function content(path: string): Buffer {
  const bytes = ifThere(() =>
    Deno.statSync(path).size < LARGEST ? Deno.readFileSync(path) : undefined
  );
  return Buffer.from(bytes ?? []);
}

// Other programs delete their files at any time.
function ifThere<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Runs Deno, and shows its output if it fails. @returns whether it succeeded. */
async function ranWell(
  name: string,
  env: Record<string, string>,
  ...args: string[]
): Promise<boolean> {
  const all = { NO_COLOR: "1", ...env };
  const { code, stdout, stderr } = await run(Deno.execPath(), args, { env: all });
  const closing = stdout.split("\n").filter((line) => /^(ok|FAILED) \|/.test(line)).join(" ");
  print(code === 0 ? `${name}: ${closing}` : `${name} failed\n${stdout}${stderr}`);
  return code === 0;
}

function print(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}
