import { linux } from "./linux.ts";
import { macos } from "./macos.ts";
import type { System } from "./system.ts";
import { windows } from "./windows.ts";

/** The system of that name; one that rekey is not made for is taken for a Linux. */
export function systemOf(os: typeof Deno.build.os): System {
  if (os === "windows") return windows;
  return os === "darwin" ? macos : linux;
}

/** The system that this program runs on. */
export const HERE: System = systemOf(Deno.build.os);

/** The C library that the runtime is linked to, for its foreign calls; `undefined` where there is none of that kind. */
export const LIBC = HERE.libc;
