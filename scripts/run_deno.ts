/**
 * Runs a Deno: the one that runs this, unless another is named.
 *
 * @throws {Error} with what it said when it fails.
 */
export async function runDeno(
  { env = {}, deno = Deno.execPath() }: { env?: Record<string, string>; deno?: string },
  ...args: string[]
): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(deno, { args, env, stdin: "null" })
    .output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  if (!success) throw new Error(`deno ${args[0]}: ${text(stderr)}`);
  return text(stdout);
}
