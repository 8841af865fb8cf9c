import { Buffer } from "node:buffer";
import { createHmac, createSecretKey, type KeyObject, randomBytes, scryptSync } from "node:crypto";
import { join } from "node:path";
import { RekeyError } from "../../core/errors.ts";
import { damagedMeta, type Meta } from "../sqlite/meta.ts";
import { HERE } from "../../system/here.ts";
import { exposureOf } from "../../files/path_ownership.ts";
import { readFileIfThere, writeNewPrivateFile } from "../../files/private_files.ts";
import {
  credentialPath,
  decodedKey,
  faultOfPassphrase,
  KEK_BYTES,
  kekIn,
  type KekSources,
  ranCommand,
} from "./kek_sources.ts";

// As OWASP advises for a passphrase at rest: 128 MiB, about half a second.
const SCRYPT = { N: 2 ** 17, r: 8, p: 1 };
const SCRYPT_MAX_MEMORY = 256 * 2 ** 20;

/** A key-encryption key, and where it came from. */
export interface Kek {
  /** Public name: 16 base64url characters derived from the key. */
  readonly id: string;
  /** No way of printing it shows its bytes. */
  readonly key: KeyObject;
  /** Where it came from, for people: a file name or an environment variable, never a value. */
  readonly source: string;
  /** Whether it is the key file that rekey made itself, which protects copies and not the account. */
  readonly generated: boolean;
  /** Whether an earlier command has named it. */
  readonly remembered?: boolean;
  /** Whether the command that prints it says it itself: then the command is as secret as the key. */
  readonly isInline?: boolean;
}

/** What the database keeps of its KEK, so that the same one is found again. */
export interface KekRecord {
  readonly id: string;
  /** Name of the generated key file in the config folder. */
  readonly file?: string;
  /** How a passphrase becomes the key. */
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
  try {
    const record = JSON.parse(meta.get(key) ?? "");
    if (typeof record.id === "string") return record;
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
  }
  throw damagedMeta(key);
}

/** A KEK for a database that has none yet, and the record to keep of it. */
export async function newKek(
  sources: KekSources,
  configFolder: string | undefined,
  app: string,
): Promise<{ kek: Kek; record: KekRecord }> {
  const scrypt = { ...SCRYPT, salt: randomBytes(16).toString("base64url") };
  const given = await suppliedKek(sources, scrypt, true);
  if (given !== undefined) {
    const { kek, salted } = given;
    // A command that makes a key each time would seal everything under one that is gone.
    const again = isCommand(kek) ? await suppliedKek(sources, scrypt, true) : given;
    if (again?.kek.id !== kek.id) throw invalid(kek.source, "it gives another one each time");
    return { kek, record: salted ? { id: kek.id, scrypt } : { id: kek.id } };
  }
  return generateKek(configFolder, app);
}

function isCommand({ source }: Kek): boolean {
  return source.endsWith("_COMMAND");
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
  const kek = named(key, path, true);
  // Before anything is sealed under it.
  generatedKek(path, { id: kek.id });
  return { kek, record: { id: kek.id, file } };
}

function keyFileName(app: string, id: string): string {
  return `${app}-${id}.kek`;
}

/**
 * Path of the key file that rekey made for a database, if it made one.
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
    { hint: "Provide the KEK that the database was sealed under" },
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
  if (data !== undefined) return named(decodeKey(data, path), path, true);
  throw new RekeyError("kek_missing", `Cannot find KEK ${id}: ${path} is not there`, {
    hint: "Put the key file back. If it is lost, nothing sealed opens any more: " +
      "`rekey restore BACKUP --force --new-secret` goes on without it, `rekey destroy` starts over",
  });
}

async function suppliedKek(
  sources: KekSources,
  scrypt: ScryptParameters | undefined,
  isNew: boolean,
) {
  const { file, command, passphraseFile, passphraseCommand } = sources;
  const { remembered = false } = sources;
  if (isNew) refuseExposed(file ?? (command === undefined ? passphraseFile : undefined));
  if (file !== undefined) return { kek: fromFile(file, remembered), salted: false };
  if (command !== undefined) {
    const source = "REKEY_KEK_COMMAND";
    const printed = await ranCommand(sources, command, source);
    const isInline = says(command, printed);
    const kek = named(decodeKey(printed, source), source, false);
    return { kek: { ...kek, isInline }, salted: false };
  }
  const credential = credentialPath(sources);
  if (credential !== undefined) return { kek: fromFile(credential, false), salted: false };
  if (passphraseFile !== undefined) {
    const source = "REKEY_PASSPHRASE_FILE";
    const passphrase = neededFile(passphraseFile, remembered, `${source}=FILE rekey init`);
    return { kek: derived(passphrase, scrypt, source, isNew), salted: true };
  }
  if (passphraseCommand !== undefined) {
    const source = "REKEY_PASSPHRASE_COMMAND";
    const passphrase = await ranCommand(sources, passphraseCommand, source);
    const isInline = says(passphraseCommand, passphrase);
    const kek = derived(passphrase, scrypt, source, isNew);
    return { kek: { ...kek, isInline }, salted: true };
  }
  return undefined;
}

// Whoever has read it could open every copy of the database; later it is `doctor` that says so.
function refuseExposed(path: string | undefined): void {
  const exposure = path === undefined ? undefined : exposureOf(path);
  if (exposure === undefined || exposure.isReadOnly) return;
  throw new RekeyError(
    "kek_invalid",
    `Cannot use the KEK from ${path}: other users can read it (${exposure.shown})`,
    { hint: `Run \`${exposure.fix}\`; if someone else may have read it, make another one` },
  );
}

const SPELLINGS = ["utf8", "base64", "base64url", "hex"] as const;

// A command such as `echo …` has the value in itself, and `echo … | base64 -d` has it in another spelling.
function says(command: string, printed: Uint8Array): boolean {
  const text = Buffer.from(printed).toString().trim();
  const values = [Buffer.from(printed), Buffer.from(text), Buffer.from(decodedKey(text) ?? [])];
  const spelled = values.flatMap((value) => SPELLINGS.map((name) => value.toString(name)));
  values.forEach((value) => value.fill(0));
  const words = spelled.filter((word) => word !== "").map((word) => bare(word.replace(/=+$/, "")));
  const said = bare(command);
  return words.some((word) => said.includes(word) || said.toLowerCase().includes(word));
}

// Between quotes a shell takes a word in pieces.
function bare(text: string): string {
  return text.replace(/['"\\\s]/g, "");
}

function fromFile(path: string, remembered: boolean): Kek {
  return named(decodeKey(neededFile(path, remembered), path), path, false);
}

function neededFile(
  path: string,
  remembered: boolean,
  again = "rekey init --kek-file FILE",
): Uint8Array {
  const data = readFileIfThere(path);
  if (data !== undefined) return data;
  const [was, how] = remembered
    ? [
      ", where it is remembered to be",
      `name another place: \`${again}\` remembers it`,
    ]
    : ["", "name another KEK source"];
  throw new RekeyError("kek_missing", `Cannot read ${path}: it is not there${was}`, {
    hint: `Put the file back, or ${how}`,
  });
}

function derived(
  passphrase: Uint8Array,
  scrypt: ScryptParameters | undefined,
  source: string,
  isNew: boolean,
): Kek {
  // Bytes that are no text would all be the same character: the passphrase would be another, and a weaker one.
  const fault = isNew ? faultOfPassphrase(passphrase) : undefined;
  if (fault !== undefined) throw invalid(source, fault);
  const text = Buffer.from(passphrase).toString().replace(/\r?\n$/, "");
  passphrase.fill(0);
  if (text === "") throw invalid(source, "the passphrase is empty");
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
    return named(
      scryptSync(text, Buffer.from(salt, "base64url"), KEK_BYTES, limits),
      source,
      false,
    );
  } catch (cause) {
    throw new RekeyError("database_damaged", "Cannot use the database: its kek row was changed", {
      hint: "Restore the database from a backup",
      cause,
    });
  }
}

function decodeKey(data: Uint8Array, source: string): Uint8Array {
  const key = kekIn(data);
  if (typeof key === "string") throw invalid(source, key);
  return key;
}

function invalid(source: string, why: string): RekeyError {
  return new RekeyError("kek_invalid", `Cannot use the KEK from ${source}: ${why}`, {
    hint: "Give the key that the database is sealed under; for a new database one is made with " +
      `\`${HERE.advice.makeKey}\``,
  });
}

// The bytes are overwritten: the runtime keeps its own.
function named(bytes: Uint8Array, source: string, generated: boolean): Kek {
  const [id, key] = [kekId(bytes), createSecretKey(bytes)];
  bytes.fill(0);
  return { id, key, source, generated };
}

function kekId(key: Uint8Array): string {
  return createHmac("sha256", key).update("rekey kek id v1").digest("base64url").slice(0, 16);
}
