/**
 * `deno run -A scripts/starts.ts`: writes the table of docs/performance.md that says what the start of each command takes,
 * counted on `dist/rekey` and the scripts in `dist/build`. `tests/e2e/start_up_bytes_test.ts` compares them.
 */
import { join } from "node:path";
import { Box, REKEY } from "../tests/support/process/box.ts";
import type { Taken } from "./starts/count.ts";

const ROOT = join(import.meta.dirname!, "..");
const PAGE = join(ROOT, "docs/performance.md");
const HEAD = "| command | parts | their source, bytes | statements | waits for the disk |";

/** What a command takes from its start to its end. */
export interface Start extends Taken {
  readonly command: string;
  /** Calls that wait until the disk has something. */
  readonly waits: number;
}

/** Counts what each command takes, secret in the database. */
export async function countStarts(): Promise<Start[]> {
  using box = new Box();
  await checked(box.run(["init", "--store", "database"]));
  const token = await box.token();
  const commands = [["verify", token], ["status"], ["issue", "--sub", "alice"], ["audit", "list"]];
  const starts = [];
  for (const args of [...commands, ["rotate", "--force"]]) {
    const command = args.filter((arg) => arg !== token).join(" ");
    starts.push({ command, ...await takenBy(box, args), waits: await waitsOf(box, args) });
  }
  return starts;
}

async function takenBy(box: Box, args: string[]): Promise<Taken> {
  const flags = ["run", "--allow-all", "--quiet", "--no-check", "--unstable-net"];
  const counter = [join(ROOT, "scripts/starts/count.ts"), join(ROOT, "dist/build")];
  const env = { DENO_DIR: Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno` };
  const ending = box.exec(Deno.execPath(), [...flags, ...counter, ...args], { env });
  return JSON.parse((await checked(ending)).split("\n").at(-1)!);
}

async function waitsOf(box: Box, args: string[]): Promise<number> {
  const trace = join(box.home, "trace");
  const flags = ["-f", "-qq", "-e", "trace=fsync,fdatasync,sync_file_range,syncfs", "-o", trace];
  await checked(box.exec("/usr/bin/strace", [...flags, REKEY, ...args]));
  return Deno.readTextFileSync(trace).split("\n").filter((line) => /sync\w*\(/.test(line)).length;
}

async function checked(ending: Promise<{ code: number; stderr: string }>): Promise<string> {
  const { code, stderr } = await ending;
  if (code !== 0) throw new Error(stderr);
  return stderr;
}

/** The rows of the table that the page has. */
export function documentedStarts(page = Deno.readTextFileSync(PAGE)): Start[] {
  return rowsOf(page).map((row) => {
    const [command, ...numbers] = row.split("|").map((cell) => cell.trim()).filter(Boolean);
    const [parts, bytes, statements, waits] = numbers.map((text) => Number(text.replace(/,/g, "")));
    const name = command!.replaceAll("`", "");
    return { command: name, parts: parts!, bytes: bytes!, statements: statements!, waits: waits! };
  });
}

function rowsOf(page: string): string[] {
  const [, , ...lines] = page.slice(page.search(/\| command +\| parts/)).split("\n");
  return lines.slice(0, lines.indexOf(""));
}

function filled(page: string, starts: readonly Start[]): string {
  const start = page.search(/\| command +\| parts/);
  const end = page.indexOf("\n\n", start);
  const rows = starts.map(({ command, parts, bytes, statements, waits }) =>
    `| \`${command}\` | ${parts} | ${bytes.toLocaleString("en")} | ${statements} | ${waits} |`
  );
  const table = [HEAD, "| --- | ---: | ---: | ---: | ---: |", ...rows].join("\n");
  return `${page.slice(0, start)}${table}${page.slice(end)}`;
}

if (import.meta.main) {
  Deno.writeTextFileSync(PAGE, filled(Deno.readTextFileSync(PAGE), await countStarts()));
}
