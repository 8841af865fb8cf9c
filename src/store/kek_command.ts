import { isRekeyError, RekeyError } from "../core/errors.ts";
import type { KekSources } from "./kek_sources.ts";

/**
 * What the command prints that supplies a KEK or a passphrase.
 *
 * @param source the variable that it was named by.
 * @throws {RekeyError} `kek_missing` when it fails. Of a remembered one, which stands in no variable, it says where it
 * comes from.
 */
export async function ranCommand(
  { run, remembered = false }: KekSources,
  command: string,
  source: string,
): Promise<Uint8Array> {
  try {
    return await run(command);
  } catch (cause) {
    if (!remembered || !isRekeyError(cause, "kek_missing")) throw cause;
    throw new RekeyError(
      "kek_missing",
      `${cause.message}; it is the one that ${source} named once, and that is remembered`,
      {
        hint:
          `Set right what it needs, or name another: \`rekey init\` with ${source} remembers it`,
        cause,
      },
    );
  }
}
