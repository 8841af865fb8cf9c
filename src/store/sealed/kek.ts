import { type KeyObject, randomBytes } from "node:crypto";
import { join } from "node:path";
import { RekeyError } from "../../core/errors.ts";
import { damagedMeta, type Meta } from "../sqlite/meta.ts";
import { writeNewPrivateFile } from "../../files/private_files.ts";
import {
  decodeKey,
  invalid,
  KEK_BYTES,
  kekId,
  type KekSources,
  makeKek,
  suppliedKek,
} from "./kek_sources.ts";
import { isThere, readFileIfThere } from "../../files/files.ts";

// OWASP's recommendation for passphrases at rest: 128 MiB, about half a second.
const SCRYPT = { N: 2 ** 17, r: 8, p: 1 };

/** A key-encryption key, and where it came from. */
export interface Kek {
  /** Public name: 16 base64url characters derived from the key. */
  readonly id: string;
  /** Printing it never shows its bytes. */
  readonly key: KeyObject;
  /** Where it came from, for messages: a file name or an environment variable, never a value. */
  readonly source: string;
  /** Whether rekey generated the key file, which protects copies of the database but not the account. */
  readonly generated: boolean;
  /** Whether an earlier command named its source. */
  readonly remembered?: boolean;
  /** Whether the command line that prints it contains it: then the command is as secret as the key. */
  readonly isInline?: boolean;
}

/** What the database records about its KEK, to find and recognise it. */
export interface KekRecord {
  readonly id: string;
  /** Name of the generated key file in the config folder. */
  readonly file?: string;
  /** How the key is derived from a passphrase. */
  readonly scrypt?: ScryptParameters;
}

/** Parameters of scrypt (RFC 7914) and a base64url salt. */
export interface ScryptParameters {
  readonly N: number;
  readonly r: number;
  readonly p: number;
  readonly salt: string;
}

/** The record of a database's KEK, or of the previous one. @throws {RekeyError} `database_damaged`. */
export function readKekRecord(meta: Meta, key: "kek" | "stale_kek"): KekRecord {
  const isRecord = (value: unknown): value is KekRecord => typeof Object(value).id === "string";
  const record = meta.json(key, isRecord);
  if (record === undefined) throw damagedMeta(key);
  return record;
}

/** The KEK for a new database, and its record. */
export async function newKek(
  sources: KekSources,
  configFolder: string | undefined,
  app: string,
): Promise<{ kek: Kek; record: KekRecord }> {
  const scrypt = { ...SCRYPT, salt: randomBytes(16).toString("base64url") };
  const given = await suppliedKek(sources, scrypt, true);
  if (given !== undefined) {
    const { kek, salted } = given;
    // A command that prints a new key each time would make everything unreadable.
    const isCommand = kek.source.endsWith("_COMMAND");
    const again = isCommand ? await suppliedKek(sources, scrypt, true) : given;
    if (again?.kek.id !== kek.id) throw invalid(kek.source, "it differs each time");
    return { kek, record: salted ? { id: kek.id, scrypt } : { id: kek.id } };
  }
  return generateKek(configFolder, app);
}

function generateKek(configFolder: string | undefined, app: string) {
  if (configFolder === undefined) {
    throw new RekeyError("kek_missing", "Cannot make a key file: there is no home folder for it", {
      hint: "Name a KEK with --kek-file, or a folder apart from the data with XDG_CONFIG_HOME",
    });
  }
  const key = randomBytes(KEK_BYTES);
  const file = keyFileName(app, kekId(key));
  const path = join(configFolder, file);
  writeNewPrivateFile(path, `${key.toString("base64url")}\n`);
  const kek = makeKek(key, path, true);
  // Reads it back before anything is sealed under it.
  generatedKek(path, { id: kek.id });
  return { kek, record: { id: kek.id, file } };
}

function keyFileName(app: string, id: string): string {
  return `${app}-${id}.kek`;
}

/**
 * Path of the key file that rekey generated for a database, if any.
 *
 * @throws {RekeyError} `database_damaged` when the record names any other file.
 */
export function generatedKeyFile(
  configFolder: string | undefined,
  app: string,
  { id, file }: KekRecord,
): string | undefined {
  if (file === undefined || configFolder === undefined) return undefined;
  if (file === keyFileName(app, id) && /^[\w-]{16}$/.test(id)) return join(configFolder, file);
  throw new RekeyError("database_damaged", "Cannot use the database: its kek row was changed", {
    hint: "Restore the database from a backup",
  });
}

/**
 * The KEK that `record` names.
 *
 * @throws {RekeyError} `kek_missing`, `kek_invalid` or `kek_wrong`.
 */
export async function findKek(
  sources: KekSources,
  keyFile: string | undefined,
  record: KekRecord,
): Promise<Kek> {
  const supplied = await suppliedKek(sources, record.scrypt, false);
  const { remembered = false } = sources;
  const kek = { ...supplied?.kek ?? generatedKek(keyFile, record), remembered };
  if (kek.id === record.id) return kek;
  throw new RekeyError(
    "kek_wrong",
    `Cannot use the KEK from ${kek.source}: it is ${kek.id}, the database is sealed under ${record.id}`,
    {
      hint: supplied !== undefined && !remembered && keyFile !== undefined && isThere(keyFile)
        ? `Leave out the flag or variable that names it: the KEK of the database is in ${keyFile}`
        : "Provide the KEK that the database was sealed under",
    },
  );
}

function generatedKek(path: string | undefined, { id }: KekRecord): Kek {
  if (path === undefined) {
    throw new RekeyError("kek_missing", `Cannot find KEK ${id}: no source names one`, {
      hint:
        "Set --kek-file, REKEY_KEK_COMMAND or the passphrase source that the database was made with",
    });
  }
  const data = readFileIfThere(path);
  if (data !== undefined) return makeKek(decodeKey(data, path), path, true);
  throw new RekeyError("kek_missing", `Cannot find KEK ${id}: ${path} does not exist`, {
    hint: "Put the key file back. If it is lost, nothing sealed can be opened: " +
      "`rekey restore BACKUP --force --new-secret` continues without it, `rekey destroy` starts over",
  });
}
