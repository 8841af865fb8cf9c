import { join } from "node:path";
import type { Box, Ended } from "../process/box.ts";

/** The binary for Linux arm64; `deno task build linux-arm64` makes it. */
export const REKEY_ARM64 = join(import.meta.dirname!, "../../../dist/rekey-linux-arm64");

/**
 * What runs programs for arm64 here: an emulated processor, with Debian's C library for it. One without pointer authentication, as many
 * that are in use: the newest takes four times as long to emulate.
 */
export const EMULATOR: readonly string[] = [
  "/usr/bin/qemu-aarch64-static",
  ...["-cpu", "cortex-a57", "-L", "/usr/aarch64-linux-gnu"],
];

/** The binary as it is started here. */
export const EMULATED: readonly string[] = [...EMULATOR, REKEY_ARM64];

// So long takes what is said over the bus, emulated.
const SLOW = { REKEY_KEYRING_TIMEOUT: "60s" };

/** Runs it as a box's user. */
export function emulated(box: Box, args: string[]): Promise<Ended> {
  const [program, ...before] = EMULATED;
  return box.exec(program!, [...before, ...args], { env: SLOW });
}

/** The same. @returns what it printed. @throws {Error} when it fails. */
export async function must(box: Box, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await emulated(box, args);
  if (code !== 0) throw new Error(`rekey ${args[0]} (${code}): ${stderr}`);
  return stdout.trim();
}
