import { Buffer } from "node:buffer";
import { createHmac, createSecretKey, scryptSync } from "node:crypto";
import { join } from "node:path";
import { isRekeyError, RekeyError } from "../../core/errors.ts";
import { exposureOf } from "../../files/private_files.ts";
import type { Kek, ScryptParameters } from "./kek.ts";
import { SYSTEM } from "../../system/system.ts";
import { isUtf16, utf8, UTF_16 } from "../../core/encoding.ts";
import { readFileIfThere } from "../../files/files.ts";

// Enough for the parameters of `kek.ts`, and a bound for those of a changed record.
const SCRYPT_MAX_MEMORY = 256 * 2 ** 20;

/** Length of a key-encryption key: that of A256GCMKW. */
export const KEK_BYTES = 32;

/** Where the operator says the KEK is; the first source that is set counts. */
export interface KekSources {
  readonly file?: string | undefined;
  readonly command?: string | undefined;
  /** systemd's `$CREDENTIALS_DIRECTORY`. */
  readonly credentials?: string | undefined;
  readonly passphraseFile?: string | undefined;
  readonly passphraseCommand?: string | undefined;
  /** Whether an earlier command named the source, and the installation remembers it. */
  readonly remembered?: boolean;
  /** Runs a command line in the system's shell with a timeout, and returns its standard output. */
  run(commandLine: string): Promise<Uint8Array>;
}

/** Whether any source is set. */
export function kekSupplied(sources: KekSources): boolean {
  return sources.file !== undefined || sources.command !== undefined ||
    credentialPath(sources) !== undefined || sources.passphraseFile !== undefined ||
    sources.passphraseCommand !== undefined;
}

/** Whether other machines can use the same KEK: not a generated key file, and not a passphrase, whose salt differs by database. */
export function isPortable(sources: KekSources): boolean {
  return (sources.file ?? sources.command ?? credentialPath(sources)) !== undefined;
}

/** Path of the KEK among a systemd unit's credentials, if the unit has it. */
export function credentialPath({ credentials }: KekSources): string | undefined {
  if (credentials === undefined) return undefined;
  const path = join(credentials, "rekey-kek");
  // A unit may load credentials for other programs only.
  return readFileIfThere(path) === undefined ? undefined : path;
}

export async function suppliedKek(
  sources: KekSources,
  scrypt: ScryptParameters | undefined,
  isNew: boolean,
) {
  const { file, command, passphraseFile, remembered = false } = sources;
  if (isNew) refuseExposed(file ?? (command === undefined ? passphraseFile : undefined));
  if (file !== undefined) return { kek: fromFile(file, remembered), salted: false };
  if (command !== undefined) {
    const source = "REKEY_KEK_COMMAND";
    const printed = await ranCommand(sources, command, source);
    const isInline = says(command, printed);
    const kek = makeKek(decodeKey(printed, source), source, false);
    return { kek: { ...kek, isInline }, salted: false };
  }
  const credential = credentialPath(sources);
  if (credential !== undefined) return { kek: fromFile(credential, false), salted: false };
  const kek = await passphraseKek(sources, scrypt, isNew);
  return kek && { kek, salted: true };
}

/** The KEK from a passphrase, if one is named. */
async function passphraseKek(
  sources: KekSources,
  scrypt: ScryptParameters | undefined,
  isNew: boolean,
): Promise<Kek | undefined> {
  const { passphraseFile, passphraseCommand, remembered = false } = sources;
  if (passphraseFile !== undefined) {
    const source = "REKEY_PASSPHRASE_FILE";
    const passphrase = neededFile(passphraseFile, remembered, `${source}=FILE rekey init`);
    return derived(passphrase, scrypt, source, isNew);
  }
  if (passphraseCommand !== undefined) {
    const source = "REKEY_PASSPHRASE_COMMAND";
    const passphrase = await ranCommand(sources, passphraseCommand, source);
    const isInline = says(passphraseCommand, passphrase);
    return { ...derived(passphrase, scrypt, source, isNew), isInline };
  }
  return undefined;
}

/**
 * Runs a command that prints a KEK or a passphrase.
 *
 * @param source the variable that names the command.
 * @throws {RekeyError} `kek_missing` when the command fails. For a remembered command, the message names the variable.
 */
async function ranCommand(
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
      `${cause.message}; the command is remembered from ${source}`,
      {
        hint:
          `Fix what the command needs, or name another: \`rekey init\` with ${source} remembers it`,
        cause,
      },
    );
  }
}

/** Decodes hex, base64 or base64url of 32 bytes; `undefined` for any other text. */
function decodedKey(text: string): Uint8Array | undefined {
  if (/^[0-9a-fA-F]{64}$/.test(text)) return Uint8Array.fromHex(text);
  const base64 = text.replaceAll("-", "+").replaceAll("_", "/");
  return /^[A-Za-z0-9+/]{43}=?$/.test(base64) ? Uint8Array.fromBase64(base64) : undefined;
}

/** Why bytes are refused as a new passphrase; `undefined` when they are valid UTF-8. */
function faultOfPassphrase(bytes: Uint8Array): string | undefined {
  if (isUtf16(bytes)) return UTF_16;
  try {
    utf8(bytes);
    return undefined;
  } catch {
    return "the passphrase is not UTF-8";
  }
}

// Anyone who has read the KEK can open every copy of the database. For a KEK in use, `doctor` reports it.
function refuseExposed(path: string | undefined): void {
  const exposure = path === undefined ? undefined : exposureOf(path);
  if (exposure === undefined || exposure.isReadOnly) return;
  throw new RekeyError(
    "kek_invalid",
    `Cannot use the KEK from ${path}: other users can read it (${exposure.shown})`,
    { hint: `Run \`${exposure.fix}\`; if someone else may have read the file, make a new one` },
  );
}

const SPELLINGS = ["utf8", "base64", "base64url", "hex"] as const;

// Whether the command line itself contains the value, as `echo …` does, or an encoding of it, as `echo … | base64 -d`.
function says(command: string, printed: Uint8Array): boolean {
  const text = Buffer.from(printed).toString().trim();
  const values = [Buffer.from(printed), Buffer.from(text), Buffer.from(decodedKey(text) ?? [])];
  const spelled = values.flatMap((value) => SPELLINGS.map((name) => value.toString(name)));
  values.forEach((value) => value.fill(0));
  const words = spelled.filter((word) => word !== "").map((word) => bare(word.replace(/=+$/, "")));
  const said = bare(command);
  return words.some((word) => said.includes(word) || said.toLowerCase().includes(word));
}

// A shell joins the quoted pieces of a word.
function bare(text: string): string {
  return text.replace(/['"\\\s]/g, "");
}

function fromFile(path: string, remembered: boolean): Kek {
  return makeKek(decodeKey(neededFile(path, remembered), path), path, false);
}

function neededFile(
  path: string,
  remembered: boolean,
  again = "rekey init --kek-file FILE",
): Uint8Array {
  const data = readFileIfThere(path);
  if (data !== undefined) return data;
  const [what, next] = remembered
    ? ["the remembered file", `name another one: \`${again}\` remembers it`]
    : ["it", "name another KEK source"];
  throw new RekeyError("kek_missing", `Cannot read ${path}: ${what} does not exist`, {
    hint: `Put the file back, or ${next}`,
  });
}

function derived(
  passphrase: Uint8Array,
  scrypt: ScryptParameters | undefined,
  source: string,
  isNew: boolean,
): Kek {
  const text = passphraseText(passphrase, source, isNew);
  if (scrypt === undefined) {
    throw new RekeyError(
      "kek_wrong",
      `Cannot use the passphrase from ${source}: the database is sealed under a key, not a passphrase`,
      { hint: "Provide the KEK that the database was sealed under" },
    );
  }
  const { N, r, p, salt } = scrypt;
  const limits = { N, r, p, maxmem: SCRYPT_MAX_MEMORY };
  try {
    const key = scryptSync(text, Buffer.from(salt, "base64url"), KEK_BYTES, limits);
    return makeKek(key, source, false);
  } catch (cause) {
    throw new RekeyError("database_damaged", "Cannot use the database: its kek row was changed", {
      hint: "Restore the database from a backup",
      cause,
    });
  }
}

/** A passphrase without the end of its line. Its bytes are overwritten. */
function passphraseText(passphrase: Uint8Array, source: string, isNew: boolean): string {
  // Decoding turns every invalid byte into the same character, which would weaken the passphrase.
  const fault = isNew ? faultOfPassphrase(passphrase) : undefined;
  if (fault !== undefined) throw invalid(source, fault);
  const text = Buffer.from(passphrase).toString().replace(/\r?\n$/, "");
  passphrase.fill(0);
  if (text === "") throw invalid(source, "the passphrase is empty");
  return text;
}

/**
 * Decodes a KEK: 32 raw bytes, or their base64, base64url or hex text with or without a newline. Overwrites a text.
 *
 * @throws {RekeyError} `kek_invalid` when the data is not one.
 */
export function decodeKey(data: Uint8Array, source: string): Uint8Array {
  if (data.length === KEK_BYTES) return data;
  const key = decodedKey(new TextDecoder().decode(data).trim());
  const why = isUtf16(data)
    ? UTF_16
    : `a KEK is ${KEK_BYTES} bytes, raw or as base64, base64url or hex`;
  data.fill(0);
  if (key === undefined) throw invalid(source, why);
  return key;
}

export function invalid(source: string, why: string): RekeyError {
  return new RekeyError("kek_invalid", `Cannot use the KEK from ${source}: ${why}`, {
    hint: "Provide the key that the database was sealed under; for a new database, make one with " +
      `\`${SYSTEM.advice.makeKey}\``,
  });
}

/** Makes a KEK of key bytes, and overwrites them: the runtime keeps its own copy. */
export function makeKek(bytes: Uint8Array, source: string, generated: boolean): Kek {
  const [id, key] = [kekId(bytes), createSecretKey(bytes)];
  bytes.fill(0);
  return { id, key, source, generated };
}

export function kekId(key: Uint8Array): string {
  return createHmac("sha256", key).update("rekey kek id v1").digest("base64url").slice(0, 16);
}
