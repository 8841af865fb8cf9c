import { HERE } from "./here.ts";

/** The C library that the runtime is linked to, for its foreign calls; `undefined` where there is none of that kind. */
export const LIBC = HERE.libc;
