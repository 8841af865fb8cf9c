import { fileURLToPath } from "node:url";

/** Where a file is that the build put beside the program's first module. */
export function embedded(name: string): URL {
  return new URL(`./${name}`, Deno.mainModule);
}

/** Path of the program, as it is started; from sources, of the launcher that the tests put beside its first module. */
export function ownProgram(): string {
  return Deno.build.standalone ? Deno.execPath() : fileURLToPath(embedded("rekey"));
}
