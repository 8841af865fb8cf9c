import assert from "node:assert/strict";
import { SYSTEM } from "../../src/system/system.ts";

Deno.test("memory that cannot be given back ends no command", () => {
  const { dlopen } = Deno;
  let isTried = false;
  Deno.dlopen = () => {
    isTried = true;
    throw new Error("No C library");
  };
  try {
    SYSTEM.giveBackMemory();
  } finally {
    Deno.dlopen = dlopen;
  }
  assert.ok(isTried, "the C library was asked for");
});
