import { placeName } from "../../core/location.ts";
import { resolve } from "node:path";
import { backUp, streamBackup, withBackupFile } from "../../backup/backup.ts";
import type { Openers, Readers } from "../../backup/envelope.ts";
import { restore as bringBack, type Restored } from "../../backup/restore.ts";
import type { Revived } from "../../secret/revived.ts";
import { type RekeyError, usageError } from "../../core/errors.ts";
import { isStream, readInputText } from "../../files/input_files.ts";
import type { BackupInfo } from "../../store/backup_file.ts";
import type { Context } from "../context.ts";
import { warnOfDeliveriesToBegin } from "../deliveries_report.ts";
import { warnOfExposed } from "../exposed_inputs.ts";
import { printable } from "../format.ts";
import { type Output, writeBytes } from "../output.ts";
import { mustBeThere, notEmpty, passphraseIn } from "../passphrase_file.ts";
import { askHidden } from "../terminal.ts";

/** Flags of `rekey backup`. */
export interface BackupFlags {
  readonly path: string;
  readonly withSecret?: boolean;
  readonly recipient?: string[];
  readonly recipientsFile?: string[];
  readonly passphraseFile?: string;
}

/** Writes a copy of the database. */
export async function backup(options: BackupFlags, { secrets, output }: Context): Promise<void> {
  const toStdout = options.path === "-";
  const path = toStdout ? options.path : named(options.path);
  if (toStdout) mustNotBeTerminal();
  const sealedFor = readers(options, output);
  const write = (file: string) => backUp(secrets, file, sealedFor);
  const { info: { app, made_at, secret }, location } = toStdout
    ? await streamBackup(secrets.environment, write, (piece) => writeBytes(piece))
    : await write(path);
  const result = { app, path, made_at, with_secret: secret !== undefined };
  const human = [`Backed up ${app} to ${toStdout ? "stdout" : printable(path)}`];
  if (toStdout) output.resultToStderr(result, human);
  else output.result(result, human);
  if (secret !== undefined) return;
  output.remark(
    location === "keyring"
      ? "The secret is in the keyring and not in the backup; --with-secret adds it"
      : "The secret in it opens with this machine's KEK only; --with-secret seals it for you too",
  );
}

function mustNotBeTerminal(): void {
  if (!Deno.stdout.isTerminal()) return;
  throw usageError("Cannot write a backup to a terminal", "Redirect it: `rekey backup - > FILE`");
}

function readers(options: BackupFlags, output: Output): Readers | undefined {
  const { withSecret, recipient = [], recipientsFile = [], passphraseFile } = options;
  const recipients = [...recipient, ...recipientsFile.flatMap(linesOf)];
  const named = recipients.length > 0 || passphraseFile !== undefined;
  if (!withSecret && !named) return undefined;
  if (!withSecret) {
    throw usageError(
      "Cannot use recipients or a passphrase without --with-secret",
      "Add --with-secret",
    );
  }
  if (recipients.length > 0 && passphraseFile !== undefined) {
    throw usageError(
      "Cannot seal for both recipients and a passphrase",
      "The age format allows one",
    );
  }
  if (recipients.length > 0) return { recipients };
  return {
    passphrase: passphraseFile === undefined ? askTwice() : passphraseIn(passphraseFile, output),
  };
}

/** Flags of `rekey restore`. */
export interface RestoreFlags {
  readonly path: string;
  readonly force?: boolean;
  readonly identityFile?: string[];
  readonly passphraseFile?: string;
  readonly newSecret?: boolean;
}

/** Brings a backup back. */
export async function restore(options: RestoreFlags, context: Context): Promise<void> {
  const { secrets, output, store } = context;
  const how = {
    force: options.force ?? false,
    newSecret: options.newSecret ?? false,
    store,
    openers: (info: BackupInfo) => Promise.resolve(openers(options, info, output)),
  };
  const path = isStream(options.path) ? options.path : named(options.path);
  const restored = await withBackupFile(
    secrets.environment,
    path,
    (whole) => bringBack(secrets.environment, whole, how),
  );
  output.result(restorationFacts(restored), human(restored));
  warnOfRestored(restored, output);
  warnOfDeliveriesToBegin(secrets.environment, output);
  // The sinks that the command names get its row from the restored database.
  if (secrets.environment.auditTo !== undefined) await secrets.open();
}

function restorationFacts(restored: Restored) {
  const { info, version, secretFrom, replaced, revived, movedTo, copiedTo, leftFiles } = restored;
  return {
    app: info.app,
    version: version.version,
    kid: version.kid,
    location: version.location,
    made_at: info.made_at,
    secret_from: secretFrom,
    replaced_version: replaced?.version ?? null,
    revived_version: revived?.version.version ?? null,
    damaged_database: movedTo ?? null,
    former_database: copiedTo ?? null,
    not_restored: notRestored(restored),
    files_left: leftFiles,
  };
}

function warnOfRestored(restored: Restored, output: Output): void {
  const { secretFrom, lost, log, leftFiles, notInKeyring, risks, revived } = restored;
  if (revived !== undefined) output.warning(verifiesAgain(revived));
  if (restored.isUnchecked) output.warning(mayBeOlder(restored));
  for (const text of log === "lost" ? notRestored(restored) : []) {
    output.warning(`not restored, since the KEK is lost: ${text}`);
  }
  if (log === "left") output.warning(`not restored: ${LOG_LEFT}`);
  if (log === "taken") {
    output.warning(
      `not kept, since its KEK is lost: the log of the database that was replaced. It is in ${restored.copiedTo}`,
    );
  }
  if (lost.length > 0 || secretFrom === "newer") {
    output.warning(
      "grace windows of older versions have ended: they may have been revoked since the backup",
    );
  }
  if (notInKeyring !== undefined) output.warning(notMoved(notInKeyring));
  for (const text of risks) output.warning(text);
  for (const path of leftFiles) {
    output.warning(
      `${
        printable(path)
      } stays: the backup has no delivery like the one that wrote it; delete it ` +
        "if no program needs it",
    );
  }
}

function verifiesAgain({ version: { version }, by }: Revived): string {
  const why = by?.reason ? ` (${by.reason})` : "";
  return `version ${version}, which was rotated away${why}, verifies again: its old tokens are accepted, ` +
    "and whoever has its secret can make new ones. If it has leaked, run `rekey rotate --force` now";
}

function mayBeOlder({ info, version: { version }, secretFrom }: Restored): string {
  // A new secret ends every session.
  const back = secretFrom === "new" ? "removed users" : "removed users and ended sessions";
  const text = `no usable database was here to compare the backup of ${info.made_at} with: ` +
    `what was changed after it is lost, so that ${back} are back`;
  // Otherwise the keyring has shown which version is current, or there is a new one.
  if (!["database", "envelope", "mirror"].includes(secretFrom)) return text;
  return `${text}, and version ${version} verifies again if it was rotated away: if it has leaked, run ` +
    "`rekey rotate --force` now";
}

// Its hint is for other commands.
function notMoved({ message }: RekeyError): string {
  return `the secret stays in the database, and not in the keyring: ${message}; ` +
    "`rekey store move keyring` tries again";
}

const LOG_LEFT =
  "the backup's audit log, which stays in the backup: the database has another key, " +
  "and its own log goes on";

/** What was not restored. */
function notRestored({ secretFrom, lost, log, copiedTo }: Restored): string[] {
  const where = copiedTo === undefined ? "in the backup" : `in the backup and in ${copiedTo}`;
  const parts: [boolean, string][] = [
    [secretFrom === "new", "the secret and every session of it: users log in again"],
    [
      log === "lost",
      `the audit log, which starts again: its former rows stay ${where}, and cannot be verified`,
    ],
    [log === "left", LOG_LEFT],
    [lost.length > 0, "grace windows of older versions"],
  ];
  return parts.filter(([is]) => is).map(([, text]) => text);
}

const SOURCES: Record<Restored["secretFrom"], string> = {
  keyring: "which the keyring has",
  mirror: "which is in the keyring and was sealed in the backup",
  database: "which was sealed in the backup",
  envelope: "which was sealed in the backup for you",
  etcd: "which etcd has",
  newer: "which the keyring has, newer than the backup",
  new: "a new one: all sessions have ended",
};

function human({ info, version, secretFrom, movedTo }: Restored): string[] {
  return [
    `Restored ${info.app} from the backup of ${info.made_at}`,
    `The JWT secret is version ${version.version} (kid ${version.kid}) in ${
      placeName(version.location)
    }, ${SOURCES[secretFrom]}`,
    ...movedTo === undefined ? [] : [`The damaged database is now ${movedTo}`],
  ];
}

function openers(
  options: RestoreFlags,
  { secret }: BackupInfo,
  output: Output,
): Openers | undefined {
  const { identityFile, passphraseFile } = options;
  if (identityFile !== undefined && passphraseFile !== undefined) {
    throw usageError(
      "Cannot open the backup with both",
      "Give an identity file or a passphrase file",
    );
  }
  if (identityFile !== undefined) {
    identityFile.forEach((path) => {
      mustBeThere(path, "--identity-file");
      warnOfExposed(path, output);
    });
    return { identities: identityFile.flatMap(linesOf) };
  }
  if (passphraseFile !== undefined) return { passphrase: passphraseIn(passphraseFile, output) };
  const asks = secret !== undefined && Deno.stdin.isTerminal() && Deno.stderr.isTerminal();
  const passphrase = asks ? askHidden("Passphrase of the backup (empty: none)") : "";
  return passphrase === "" ? undefined : { passphrase };
}

function askTwice(): string {
  const passphrase = notEmpty(askHidden("Passphrase for the backup"));
  if (askHidden("The same again") === passphrase) return passphrase;
  throw usageError("Cannot use the passphrase: the two entries differ", "Try again");
}

// age key files may have comments and empty lines.
function linesOf(path: string): string[] {
  const lines = readInputText(path).split("\n").map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
  if (lines.length > 0) return lines;
  throw usageError("Cannot use the key file: it has no key", "Make one with `age-keygen`");
}

function named(path: string): string {
  if (path !== "") return resolve(path);
  throw usageError("Cannot use an empty path", "Name a file");
}
