/** Where a file is that the build put beside the program's first module. */
export function embedded(name: string): URL {
  return new URL(`./${name}`, Deno.mainModule);
}
