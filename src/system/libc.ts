import { HERE } from "./here.ts";

/**
 * The C library that the runtime is linked to, for its foreign calls; `undefined` where there is none of that kind. By a
 * whole path on macOS, which looks for a plain name in the working folder too.
 */
export const LIBC: string | undefined = {
  linux: "libc.so.6",
  darwin: "/usr/lib/libSystem.B.dylib",
  windows: undefined,
}[HERE.os];
