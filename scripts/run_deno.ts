/** What {@linkcode runDeno} does differently when asked. */
export interface RunOptions {
  readonly env?: Record<string, string>;
  /** Path of another Deno. */
  readonly deno?: string;
  /** Ends it. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs a Deno: the one that runs this, unless another is named.
 *
 * @throws {Error} with what it said when it fails.
 */
export async function runDeno(
  { env = {}, deno = Deno.execPath(), signal }: RunOptions,
  ...args: string[]
): Promise<string> {
  const options = { args, env, stdin: "null", ...signal && { signal } } as const;
  const { success, stdout, stderr } = await new Deno.Command(deno, options).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  if (!success) throw new Error(`deno ${args[0]}: ${text(stderr)}`);
  return text(stdout);
}
