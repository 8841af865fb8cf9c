import { dirname } from "node:path";
import { RekeyError } from "../../core/errors.ts";
import { isThere } from "../../files/file_facts.ts";
import type { ScheduleFile } from "./plan.ts";

// As root, whoever can write to a folder of PATH would be root too.
const SYSTEMCTL = "/usr/bin/systemctl";

const MARK = "# Made by rekey schedule.";

/**
 * Writes systemd's units to their places and starts the timer among them.
 *
 * @throws {RekeyError} `failed` when no systemd answers, before anything is written; when a unit of that name is
 * somebody else's; when a file cannot be written.
 */
export async function installUnits(
  files: readonly ScheduleFile[],
  of: "user" | "system",
): Promise<void> {
  const manager = of === "user" ? ["--user"] : [];
  await systemctl([...manager, "show-environment"]);
  for (const { path } of files) checkOurs(path);
  for (const { path, content } of files) write(path, content);
  await systemctl([...manager, "daemon-reload"]);
  const timer = files.find(({ path }) => path.endsWith(".timer"))!.path.replace(/^.*\//, "");
  await systemctl([...manager, "enable", "--now", timer]);
}

/**
 * Stops the timer and deletes the units that `installUnits` has written.
 *
 * @returns the paths of those that were there.
 * @throws {RekeyError} `failed` when no systemd answers, or one of them is not rekey's; nothing is deleted then.
 */
export async function removeUnits(
  files: readonly ScheduleFile[],
  of: "user" | "system",
): Promise<string[]> {
  const manager = of === "user" ? ["--user"] : [];
  const there = files.map(({ path }) => path).filter((path) => isThere(path));
  there.forEach(checkOurs);
  if (there.length === 0) return [];
  await systemctl([...manager, "show-environment"]);
  const timer = there.find((path) => path.endsWith(".timer"));
  if (timer !== undefined) {
    await systemctl([...manager, "disable", "--now", timer.replace(/^.*\//, "")]);
  }
  for (const path of there) remove(path);
  await systemctl([...manager, "daemon-reload"]);
  return there;
}

function remove(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw cannot("delete", path, error);
  }
}

async function systemctl(args: readonly string[]): Promise<void> {
  const { success, stderr } = await output(args);
  if (success) return;
  const [said] = new TextDecoder().decode(stderr).trim().split("\n");
  throw new RekeyError("failed", `Cannot schedule it: systemctl ${args.join(" ")}: ${said}`, {
    hint: "Without --install the units are printed; `rekey schedule cron` needs no systemd",
  });
}

async function output(args: readonly string[]) {
  const stdin = "null";
  const command = new Deno.Command(SYSTEMCTL, { args: [...args], stdin, stdout: "null" });
  try {
    return await command.output();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return { success: false, stderr: new TextEncoder().encode("it is not installed") };
  }
}

function checkOurs(path: string): void {
  let there: string;
  try {
    there = Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw cannot("read", path, error);
  }
  if (there.startsWith(MARK)) return;
  throw new RekeyError("failed", `Cannot schedule it: ${path} is not rekey's`, {
    hint: "Look at it, and move it away if it is not needed",
  });
}

// Through another name, so that systemd never reads half a unit.
function write(path: string, content: string): void {
  const partial = `${path}.${crypto.randomUUID()}`;
  try {
    Deno.mkdirSync(dirname(path), { recursive: true });
    Deno.writeTextFileSync(partial, content, { createNew: true });
    // systemd complains of units that not everybody can read.
    Deno.chmodSync(partial, 0o644);
    Deno.renameSync(partial, path);
  } catch (error) {
    removeIfThere(partial);
    throw cannot("write", path, error);
  }
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // What could not be written is what is said.
  }
}

function cannot(what: string, path: string, error: unknown): RekeyError {
  const why = error instanceof Error ? error.message : String(error);
  return new RekeyError("failed", `Cannot ${what} ${path}: ${why}`, {
    hint: "A unit of the system's is root's to install; --user makes one of yours",
    cause: error,
  });
}
