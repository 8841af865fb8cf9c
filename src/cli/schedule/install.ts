import { userInfo } from "node:os";
import { RekeyError } from "../../core/errors.ts";
import { type Context, lookAt, variable } from "../context.ts";
import { dirname } from "node:path";
import type { ScheduleFile } from "./plan.ts";
import { startedUnits } from "./systemd.ts";
import { SYSTEM } from "../../system/system.ts";
import { isThere } from "../../files/files.ts";

/** Warnings about conditions that would keep an installed schedule from working. */
export function obstacles(kind: string, of: "user" | "system", context: Context): string[] {
  const found: string[] = [];
  const { environment } = context.secrets;
  const location = lookAt(environment, ({ versions }) => versions.current()?.location);
  const inKeyring = location === "keyring" && context.store !== "database";
  const outside = outOfReach(kind, of);
  if (inKeyring && outside !== undefined) {
    found.push(
      `the secret is in the keyring, which ${outside} cannot reach: use \`rekey store move ` +
        `database\`, or \`rekey schedule ${usersOwn(kind)}\` as its user`,
    );
  }
  if (kind === "systemd" && of === "user" && !lingers()) {
    found.push(
      "the timer runs only while you are logged in: `loginctl enable-linger` lets it run always" +
        (inKeyring ? ", but the keyring stays locked until you log in" : ""),
    );
  }
  return found;
}

/** A scheduler that runs without a session, and so without a keyring. */
function outOfReach(kind: string, of: "user" | "system"): string | undefined {
  if (kind === "cron") return "cron";
  if (of === "user") return undefined;
  if (kind === "launchd") return "a system daemon";
  return kind === "systemd" ? "a system unit" : undefined;
}

function usersOwn(kind: string): string {
  const own = kind === "cron" ? SYSTEM.schedule : kind;
  return own === "systemd" ? "systemd --user" : own;
}

// systemd records lingering users there.
function lingers(): boolean {
  if (SYSTEM.schedule !== "systemd" || variable("XDG_RUNTIME_DIR") === undefined) return true;
  return isThere(`/var/lib/systemd/linger/${userInfo().username}`);
}

// Not searched in PATH: for root, a writable folder in PATH would be a privilege escalation.
const SYSTEMCTL = "/usr/bin/systemctl";

const MARK = "# Made by rekey schedule.";

/**
 * Writes systemd's units to their places, and starts those that start by themselves.
 *
 * @throws {RekeyError} `failed` when systemd does not answer (nothing is written then), a unit of that name is not
 * rekey's, or a file cannot be written.
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
  const started = startedUnits(files);
  await systemctl([...manager, "enable", ...started]);
  // One that runs already would go on as it was.
  await systemctl([...manager, "restart", ...started]);
}

/**
 * Stops and deletes the units that `installUnits` has written.
 *
 * @returns the paths of the deleted units.
 * @throws {RekeyError} `failed` when systemd does not answer or a unit is not rekey's; nothing is deleted then.
 */
export async function removeUnits(
  files: readonly ScheduleFile[],
  of: "user" | "system",
): Promise<string[]> {
  const manager = of === "user" ? ["--user"] : [];
  const found = files.filter(({ path }) => isThere(path));
  const there = found.map(({ path }) => path);
  there.forEach(checkOurs);
  if (there.length === 0) return [];
  await systemctl([...manager, "show-environment"]);
  const started = startedUnits(found);
  if (started.length > 0) await systemctl([...manager, "disable", "--now", ...started]);
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
    hint: "Check the file, and move it away if it is not needed",
  });
}

// Renames a finished file, so that systemd never reads half a unit.
function write(path: string, content: string): void {
  const partial = `${path}.${crypto.randomUUID()}`;
  try {
    Deno.mkdirSync(dirname(path), { recursive: true });
    Deno.writeTextFileSync(partial, content, { createNew: true });
    // systemd warns about units that are not world-readable.
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
    // The caller reports the write error.
  }
}

function cannot(what: string, path: string, error: unknown): RekeyError {
  const why = error instanceof Error ? error.message : String(error);
  return new RekeyError("failed", `Cannot ${what} ${path}: ${why}`, {
    hint: "Only root can install system units; --user installs your own",
    cause: error,
  });
}
