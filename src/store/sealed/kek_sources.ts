import { isRekeyError, RekeyError } from "../../core/errors.ts";
import { isUtf16, utf8, UTF_16 } from "../../core/text.ts";
import { join } from "node:path";
import { readFileIfThere } from "../../files/private_files.ts";

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

/** Length of a key-encryption key: that of A256GCMKW. */
export const KEK_BYTES = 32;

/**
 * The key that a file or a command has given: 32 raw bytes, or their base64, base64url or hex text with or without a
 * line end. A text is overwritten.
 *
 * @returns why it is none, in words, if so.
 */
export function kekIn(data: Uint8Array): Uint8Array | string {
  if (data.length === KEK_BYTES) return data;
  const key = decodedKey(new TextDecoder().decode(data).trim());
  const why = isUtf16(data)
    ? UTF_16
    : `a KEK is ${KEK_BYTES} bytes, raw or as base64, base64url or hex`;
  data.fill(0);
  return key ?? why;
}

/** The key that a text spells as hex, base64 or base64url; `undefined` when it spells none. */
export function decodedKey(text: string): Uint8Array | undefined {
  if (/^[0-9a-fA-F]{64}$/.test(text)) return Uint8Array.fromHex(text);
  const base64 = text.replaceAll("-", "+").replaceAll("_", "/");
  return /^[A-Za-z0-9+/]{43}=?$/.test(base64) ? Uint8Array.fromBase64(base64) : undefined;
}

/** Why bytes are not taken for a new passphrase; `undefined` when they are a text. */
export function faultOfPassphrase(bytes: Uint8Array): string | undefined {
  if (isUtf16(bytes)) return UTF_16;
  try {
    utf8(bytes);
    return undefined;
  } catch {
    return "the passphrase is no UTF-8 text";
  }
}

/** Where the operator says the KEK is; the first that is set counts (design §6). */
export interface KekSources {
  readonly file?: string | undefined;
  readonly command?: string | undefined;
  /** systemd's `$CREDENTIALS_DIRECTORY`. */
  readonly credentials?: string | undefined;
  readonly passphraseFile?: string | undefined;
  readonly passphraseCommand?: string | undefined;
  /** Whether it was named in an earlier command, and kept with the installation. */
  readonly remembered?: boolean;
  /** Runs a command line in the system's shell, for a bounded time, and answers its standard output. */
  run(commandLine: string): Promise<Uint8Array>;
}

/** Whether the operator supplies a KEK at all. */
export function kekSupplied(sources: KekSources): boolean {
  return sources.file !== undefined || sources.command !== undefined ||
    credentialPath(sources) !== undefined || sources.passphraseFile !== undefined ||
    sources.passphraseCommand !== undefined;
}

/** Whether other machines can have the same KEK: no generated key file, and no passphrase, whose salt is a database's own. */
export function isPortable(sources: KekSources): boolean {
  return (sources.file ?? sources.command ?? credentialPath(sources)) !== undefined;
}

/** File of the KEK among a unit's credentials, if it is one of them. */
export function credentialPath({ credentials }: KekSources): string | undefined {
  if (credentials === undefined) return undefined;
  const path = join(credentials, "rekey-kek");
  // A unit may load other credentials and none for rekey.
  return readFileIfThere(path) === undefined ? undefined : path;
}
