import assert from "node:assert/strict";
import { Box } from "./box.ts";
import { copyOf } from "./copied.ts";

let original: Promise<Box> | undefined;

/**
 * A user with a secret. The users of one file have the same one: it is made once and copied, since a start of the binary
 * takes sixty milliseconds of a processor.
 */
export async function initialised(): Promise<Box> {
  const box = await (original ??= kept());
  // Searched for leaks, each has its own.
  return box.watch === undefined ? copyOf(box) : await made();
}

async function kept(): Promise<Box> {
  const box = await made();
  globalThis.addEventListener("unload", () => box[Symbol.dispose]());
  return box;
}

async function made(): Promise<Box> {
  const box = new Box();
  assert.equal((await box.run(["init"])).code, 0);
  return box;
}
