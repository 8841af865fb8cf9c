import assert from "node:assert/strict";
import { Box } from "../process/box.ts";

/** Without a parent of the program's, and with one. */
export const WAYS: string[][] = [[], ["--on-rotate", "signal:HUP"], ["--on-rotate", "restart"]];

/** A box with a secret. @param flags of `init`. */
export async function withSecret(...flags: string[]): Promise<Box> {
  const box = new Box();
  const made = await box.run(["init", ...flags]);
  assert.equal(made.code, 0, made.stderr);
  return box;
}

/** A line for the shell, with its arguments. */
export const sh = (line: string, ...args: string[]) => ["/bin/sh", "-c", line, "sh", ...args];
