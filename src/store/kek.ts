import { Buffer } from "node:buffer";
import { createHmac, randomBytes, scryptSync } from "node:crypto";
import { join } from "node:path";
import { RekeyError } from "../core/errors.ts";
import { readFileIfThere, writeNewPrivateFile } from "./private_files.ts";

/** Size of a key-encryption key: that of A256GCMKW. */
const KEK_BYTES = 32;

// scrypt as OWASP and RFC 7914 advise for a passphrase at rest: 128 MiB, about half a second.
const SCRYPT = { N: 2 ** 17, r: 8, p: 1, maxmem: 256 * 2 ** 20 };

/** A key-encryption key, and where it came from. */
export interface Kek {
  /** Public name: 16 base64url characters derived from the key. */
  readonly id: string;
  readonly key: Uint8Array;
  /** Where it came from, for people: a file name or an environment variable, never a value. */
  readonly source: string;
  /** Whether it is the key file that rekey made itself, which protects copies and not the account. */
  readonly generated: boolean;
}

/** Where the operator says the KEK is; the first that is set counts (design §6). */
export interface KekSources {
  readonly file?: string | undefined;
  readonly command?: string | undefined;
  /** systemd's `$CREDENTIALS_DIRECTORY`. */
  readonly credentials?: string | undefined;
  readonly passphraseFile?: string | undefined;
  readonly passphraseCommand?: string | undefined;
  /** Runs a command line in the system's shell and answers its standard output. */
  run(commandLine: string): Uint8Array;
}

/** What the database keeps of its KEK, so that the same one is found again. */
export interface KekRecord {
  readonly id: string;
  /** Name of the generated key file in the config folder. */
  readonly file?: string;
  /** base64url salt for a passphrase. */
  readonly salt?: string;
}

/** A KEK for a database that has none yet, and the record to keep of it. */
export function newKek(sources: KekSources, configFolder: string, app: string) {
  const salt = randomBytes(16).toString("base64url");
  const given = suppliedKek(sources, salt);
  if (given !== undefined) {
    const record: KekRecord = given.salted ? { id: given.kek.id, salt } : { id: given.kek.id };
    return { kek: given.kek, record };
  }
  const key = randomBytes(KEK_BYTES);
  const file = `${app}-${kekId(key)}.kek`;
  const path = join(configFolder, file);
  writeNewPrivateFile(path, `${key.toString("base64url")}\n`);
  return { kek: named(key, path, true), record: { id: kekId(key), file } satisfies KekRecord };
}

/**
 * The KEK that `record` names.
 *
 * @throws {RekeyError} `kek_missing`, `kek_invalid` or `kek_wrong`.
 */
export function findKek(sources: KekSources, configFolder: string, record: KekRecord): Kek {
  const kek = suppliedKek(sources, record.salt)?.kek ?? generatedKek(configFolder, record);
  if (kek.id !== record.id) {
    throw new RekeyError(
      "kek_wrong",
      `Cannot use the KEK from ${kek.source}: it is ${kek.id}, the database is sealed under ${record.id}`,
      { hint: "Provide the KEK that the database was sealed under" },
    );
  }
  return kek;
}

/** Whether the operator supplies a KEK at all. */
export function kekSupplied(sources: KekSources): boolean {
  return sources.file !== undefined || sources.command !== undefined ||
    credentialPath(sources) !== undefined || sources.passphraseFile !== undefined ||
    sources.passphraseCommand !== undefined;
}

function generatedKek(folder: string, record: KekRecord): Kek {
  if (record.file === undefined) {
    throw new RekeyError("kek_missing", `Cannot find KEK ${record.id}: no source names one`, {
      hint:
        "Set --kek-file, REKEY_KEK_COMMAND or the passphrase source that the database was made with",
    });
  }
  const path = join(folder, record.file);
  const data = readFileIfThere(path);
  if (data !== undefined) return named(decodeKey(data, path), path, true);
  throw new RekeyError("kek_missing", `Cannot find KEK ${record.id}: ${path} is not there`, {
    hint: "Put the key file back, or name it with --kek-file",
  });
}

function suppliedKek(sources: KekSources, salt: string | undefined) {
  const { file, command, passphraseFile, passphraseCommand } = sources;
  if (file !== undefined) return { kek: fromFile(file), salted: false };
  if (command !== undefined) {
    const source = "REKEY_KEK_COMMAND";
    return { kek: named(decodeKey(sources.run(command), source), source, false), salted: false };
  }
  const credential = credentialPath(sources);
  if (credential !== undefined) return { kek: fromFile(credential), salted: false };
  if (passphraseFile !== undefined) {
    return {
      kek: derived(neededFile(passphraseFile), salt, "REKEY_PASSPHRASE_FILE"),
      salted: true,
    };
  }
  if (passphraseCommand !== undefined) {
    const passphrase = sources.run(passphraseCommand);
    return { kek: derived(passphrase, salt, "REKEY_PASSPHRASE_COMMAND"), salted: true };
  }
  return undefined;
}

function credentialPath({ credentials }: KekSources): string | undefined {
  if (credentials === undefined) return undefined;
  const path = join(credentials, "rekey-kek");
  // A unit may load other credentials and none for rekey.
  return readFileIfThere(path) === undefined ? undefined : path;
}

function fromFile(path: string): Kek {
  return named(decodeKey(neededFile(path), path), path, false);
}

function neededFile(path: string): Uint8Array {
  const data = readFileIfThere(path);
  if (data !== undefined) return data;
  throw new RekeyError("kek_missing", `Cannot read ${path}: it is not there`, {
    hint: "Put the file back, or name another KEK source",
  });
}

function derived(passphrase: Uint8Array, salt: string | undefined, source: string): Kek {
  const text = Buffer.from(passphrase).toString().replace(/\r?\n$/, "");
  if (text === "") throw invalid(source, "the passphrase is empty");
  if (salt === undefined) {
    throw new RekeyError(
      "kek_wrong",
      `Cannot use the passphrase from ${source}: the database is sealed under a key, not a passphrase`,
      { hint: "Provide the KEK that the database was sealed under" },
    );
  }
  return named(scryptSync(text, Buffer.from(salt, "base64url"), KEK_BYTES, SCRYPT), source, false);
}

// 32 raw bytes, or their base64, base64url or hex text with or without a line end.
function decodeKey(data: Uint8Array, source: string): Uint8Array {
  if (data.length === KEK_BYTES) return data;
  const text = Buffer.from(data).toString("latin1").trim();
  if (/^[0-9a-fA-F]{64}$/.test(text)) return Buffer.from(text, "hex");
  if (/^[A-Za-z0-9+/_-]{43}=?$/.test(text)) return Buffer.from(text, "base64");
  throw invalid(source, `a KEK is ${KEK_BYTES} bytes, raw or as base64, base64url or hex`);
}

function invalid(source: string, why: string): RekeyError {
  return new RekeyError("kek_invalid", `Cannot use the KEK from ${source}: ${why}`, {
    hint: "Make one with `head -c 32 /dev/urandom | base64 > FILE`",
  });
}

function named(key: Uint8Array, source: string, generated: boolean): Kek {
  return { id: kekId(key), key: new Uint8Array(key), source, generated };
}

function kekId(key: Uint8Array): string {
  return createHmac("sha256", key).update("rekey kek id v1").digest("base64url").slice(0, 16);
}
