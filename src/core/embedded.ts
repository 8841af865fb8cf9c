import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Where a file is that the build put beside the program's first module. */
export function embedded(name: string): URL {
  return new URL(`./${name}`, Deno.mainModule);
}

/**
 * Path of the program, as it is started: the executable, or, from sources, the launcher beside the first module that
 * `scripts/from_source.ts` makes; `undefined` where there is none.
 */
export function ownProgram(): string | undefined {
  if (Deno.build.standalone) return Deno.execPath();
  const launcher = fileURLToPath(embedded("rekey"));
  return existsSync(launcher) ? launcher : undefined;
}
