import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { ERROR_TABLE } from "../../../src/core/errors.ts";
import { Box, type Ended, IS_COMPILED, REKEY } from "../process/box.ts";
import { Opened } from "../store/opened.ts";
import { query } from "../store/sql.ts";
import { succeeds } from "../../../scripts/program.ts";

/** Whether this process may mount; `unshare` tells without leaving anything behind. */
export const CAN_MOUNT = Deno.uid() === 0 && succeeds("unshare", ["--mount", "true"]);

/** Whether this process may run rekey as another user: its sources, and the Deno that runs them, may be root's alone. */
export const RUNS_FOR_OTHERS = Deno.uid() === 0 && IS_COMPILED;
/** What {@linkcode unless} says of it. */
export const FOR_OTHERS = "root, and the compiled executable";

/** Whether a program is installed. */
export function installed(program: string): boolean {
  return existsSync(join("/usr/bin", program));
}

const said = new Set<string>();

/** `ignore` for a test that cannot be done here; says so, since a fault that is not tried proves nothing. */
export function unless(possible: boolean, needed: string): boolean {
  if (possible) return false;
  // deno-lint-ignore no-console
  if (!said.has(needed)) console.error(`!! SKIPPED: the tests that need ${needed}`);
  said.add(needed);
  return true;
}

/** A mount that ends with its block. */
export class Mount implements Disposable {
  private constructor(private readonly path: string, args: string[]) {
    command("mount", args);
  }

  /** An empty disk of so many KiB over a folder, with a copy of what the folder holds. */
  static smallDisk(folder: string, kib: number): Mount {
    const held = [...Deno.readDirSync(folder)].filter(({ isFile }) => isFile)
      .map(({ name }) => [name, Deno.readFileSync(join(folder, name))] as const);
    const disk = new Mount(folder, ["-t", "tmpfs", "-o", `size=${kib}k,mode=700`, "none", folder]);
    for (const [name, bytes] of held) {
      Deno.writeFileSync(join(folder, name), bytes, { mode: 0o600 });
    }
    return disk;
  }

  /** A folder that has another name, too. */
  static bound(folder: string, name: string): Mount {
    return new Mount(name, ["--bind", folder, name]);
  }

  /** A folder or file that no one can write to, not even root. */
  static readOnly(path: string): Mount {
    const bound = new Mount(path, ["--bind", path, path]);
    command("mount", ["-o", "remount,bind,ro", path]);
    return bound;
  }

  [Symbol.dispose](): void {
    command("umount", [this.path]);
  }
}

function command(program: string, args: string[]): void {
  assert.ok(succeeds(program, args), `${program} ${args.join(" ")}`);
}

/** A file that leaves so many KiB of a small disk free, until the block ends. */
export function fillDisk(folder: string, freeKib: number): Disposable {
  const path = join(folder, "filler");
  const file = Deno.openSync(path, { write: true, create: true });
  try {
    const kib = new Uint8Array(1_024);
    for (;;) file.writeSync(kib);
  } catch (error) {
    if (!(error instanceof Error && error.message.includes("os error 28"))) throw error;
  }
  file.truncateSync(Math.max(0, file.statSync().size - freeKib * 1_024));
  file.close();
  return { [Symbol.dispose]: () => Deno.removeSync(path) };
}

/** `init` on a home with so many KiB left each time: refused without a torn file until it has room enough. */
export async function initWhileRoomGrows(box: Box, kibs: number[]): Promise<void> {
  using _disk = Mount.smallDisk(box.home, 6_144);
  let refused = 0;
  for (const kib of kibs) {
    const filled = fillDisk(box.home, kib);
    const ended = await box.run(["init"]);
    filled[Symbol.dispose]();
    if (ended.code === 0) break;
    refused++;
    assertPlainRefusal(ended);
    for (const [path, { length }] of box.files()) {
      assert.ok(!path.includes("/.keyring-"), "a part of the addon is left");
      assert.ok(!path.endsWith(".kek") || length === 44, "a torn key file is left");
    }
  }
  assert.ok(refused >= 5 && refused < kibs.length, `refused ${refused} times`);
  assert.equal((await box.json("init")).version, 1);
  await assertWhole(box, await machineOf(box), false);
}

/** Runs rekey after a line of shell, which may set limits. */
export function runAfter(box: Box, shell: string, args: string[]): Promise<Ended> {
  return box.exec("/bin/sh", ["-c", `${shell}; exec "$@"`, basename(REKEY), REKEY, ...args]);
}

/** One error with a hint, as people see it, and the exit status of a code in the table of errors; `status` says what it knows. */
export function assertPlainRefusal(
  { code, stdout, stderr }: Ended,
  { exits = [4], command = "" }: { exits?: number[]; command?: string | undefined } = {},
): void {
  assert.ok(exits.includes(code), `exit ${code}: ${stderr}`);
  assert.ok(Object.values(ERROR_TABLE).some(({ exit }) => exit === code));
  assert.match(stderr, /^error: [^\n]+\nhint: [^\n]+\n$/);
  assert.doesNotMatch(stderr, /internal error|\bat .*:\d+:\d+|uncaught|panic/i);
  if (command === "status") assert.match(stdout, /^secret +not available: /m);
  else assert.equal(stdout, "");
}

/** A machine before a fault. */
export interface Machine {
  readonly version: number;
  readonly token: string;
}

/** A rotation that ends all sessions. */
export const ROTATE = ["rotate", "--force"];

/** A box with a secret that was rotated once, and a token. */
export async function inUse(): Promise<{ box: Box; machine: Machine }> {
  const box = new Box();
  await box.run(["init"]);
  await box.run(ROTATE);
  return { box, machine: await machineOf(box) };
}

/** What the machine is now. */
export async function machineOf(box: Box): Promise<Machine> {
  using opened = new Opened(box);
  return { version: await opened.version(), token: await opened.token() };
}

/**
 * Checks a machine after a fault is gone: it has one secret, the one from before just when nothing was rotated;
 * the right tokens verify; the log holds; and the next rotation works.
 */
export async function assertWhole(box: Box, before: Machine, rotated: boolean): Promise<void> {
  using opened = new Opened(box);
  const version = await opened.version();
  assert.ok(rotated ? version > before.version : version === before.version, `version ${version}`);
  assert.equal(await opened.verdict(before.token), rotated ? "retired_kid" : version);
  assert.equal(await opened.verdict(await opened.token()), version);
  assertOneSecret(box);
  assert.equal(await opened.faultOfLog(), null);
  assert.ok((await box.json("rotate", "--force")).version > version);
  assert.equal(await opened.verdict(before.token), "retired_kid");
}

function assertOneSecret(box: Box): void {
  const states = query(box, "SELECT state FROM rekey_versions WHERE state <> 'retired'");
  const rows = query(box, "SELECT key FROM settings");
  assert.deepEqual(states.map(({ state }) => state), ["current"]);
  assert.deepEqual(rows.map(({ key }) => key), ["jwt_secret"]);
}
