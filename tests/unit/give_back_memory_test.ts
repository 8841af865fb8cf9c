import { SYSTEM } from "../../src/system/system.ts";

Deno.test("memory that cannot be given back ends no command", () => {
  const { dlopen } = Deno;
  Deno.dlopen = () => {
    throw new Error("No C library");
  };
  try {
    SYSTEM.giveBackMemory();
  } finally {
    Deno.dlopen = dlopen;
  }
});
