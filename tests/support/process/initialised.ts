import assert from "node:assert/strict";
import { Box } from "./box.ts";

/** A user with a secret. */
export async function initialised(): Promise<Box> {
  const box = new Box();
  assert.equal((await box.run(["init"])).code, 0);
  return box;
}
