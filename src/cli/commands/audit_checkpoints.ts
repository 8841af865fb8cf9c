import {
  type Checkpoint,
  LogCheckpoints,
  openCheckpoint,
  splitNotes,
} from "../../audit/log_checkpoints.ts";
import { type Head, showHead } from "../../audit/events.ts";
import { ExportCheck } from "../../audit/export_check.ts";
import { NoteVerifier } from "../../audit/signed_note.ts";
import { RekeyError, usageError } from "../../core/errors.ts";
import { readInputLines, readInputText } from "../../files/input_files.ts";
import { logKeysOf } from "../../secret/signed_log.ts";
import type { Context } from "../context.ts";
import { mustBeKnown } from "./audit.ts";

/** Prints the public half of the key that signs the log's checkpoints. */
export async function auditKey(_options: unknown, { secrets, output }: Context): Promise<void> {
  const { installation } = await secrets.open();
  const { verifier } = logKeysOf(installation, await installation.auditKey.read()).signer;
  output.result({ key: String(verifier) }, [String(verifier)]);
}

/** Flags of `rekey audit checkpoint`. */
export interface CheckpointFlags {
  readonly all?: boolean;
}

/** Signs the log as it is, and prints the note; `--all`: prints all notes. */
export async function auditCheckpoint({ all }: CheckpointFlags, { secrets, output }: Context) {
  const { installation } = await secrets.open();
  const { database } = installation;
  const checkpoints = new LogCheckpoints(database);
  const note = checkpoints.make(logKeysOf(installation, await installation.auditKey.read()));
  if (note === undefined) throw new Error("A log is never empty");
  const notes = all ? checkpoints.every() : [note];
  output.text({ notes }, notes.map((one) => one.slice(0, -1)));
}

/** Flags of `rekey audit verify-export`. */
export interface VerifyExportFlags {
  readonly file: string;
  readonly key?: string;
  readonly checkpoint?: readonly string[];
  readonly expectHead?: Head;
}

/** Checks an export against signed checkpoints. Needs neither the database nor its KEK. */
export function auditVerifyExport(
  { file, key, checkpoint = [], expectHead }: VerifyExportFlags,
  { output }: Context,
): void {
  const verifier = verifierOf(key);
  if (checkpoint.length === 0) {
    throw usageError(
      "Cannot check the export: nothing vouches for its rows",
      "Give --checkpoint, a file of what `rekey audit checkpoint` printed; " +
        "a head shows only that no row is missing",
    );
  }
  const signed = checkpoint.flatMap((path) => checkpointsIn(path, verifier));
  const check = new ExportCheck(signed, expectHead === undefined ? [] : [expectHead]);
  const { rows, covered, pruned, head, unknown } = soundExport(file, check);
  mustBeKnown(expectHead, unknown, "the newest one is in the newest checkpoint");
  // Without a row that says which rows were pruned, it is broken.
  const newest = showHead(head!);
  output.result({ valid: true, rows, covered, pruned, head: newest }, [
    `The ${covered} rows up to the newest checkpoint are as they were signed`,
    ...pruned === 0 ? [] : [`${pruned} rows before it were pruned, as the log says`],
    `head ${newest}`,
  ]);
  if (covered < rows) {
    output.warning(`no checkpoint vouches for the ${rows - covered} rows after it`);
  }
}

/** @throws {RekeyError} `usage` when the file is no export, `check_failed` when it is broken. */
function soundExport(file: string, check: ExportCheck) {
  readInputLines(file, (line) => check.line(line));
  const { isExport, bad, ...found } = check.end();
  if (!isExport) {
    throw usageError(
      `Cannot check ${file}: it is no export of an audit log`,
      "Give what `rekey audit export` printed",
    );
  }
  if (bad === null) return found;
  if (bad.wanted !== undefined) throw tooShort(bad.seq - 1, bad.wanted);
  throw new RekeyError("check_failed", `The export is broken at row ${bad.seq}: ${bad.why}`, {
    hint: "Compare it with an earlier export, and with `rekey audit verify` on the machine",
  });
}

// The usual reason is an export that is older than the checkpoint.
function tooShort(rows: number, wanted: number): RekeyError {
  return new RekeyError(
    "check_failed",
    `The export ends at row ${rows}, and row ${wanted} was signed or is expected`,
    {
      hint:
        `Was it made before row ${wanted} was written? Then \`rekey audit export\` makes one that ` +
        "has it, or check this one with checkpoints of its time. If not, its last rows were cut off",
    },
  );
}

function verifierOf(given: string | undefined): NoteVerifier {
  if (given === undefined) {
    throw usageError(
      "Cannot check the export: --key is needed",
      "Give what `rekey audit key` prints",
    );
  }
  const text = given.startsWith("@") ? readInputText(given.slice(1)) : given;
  const verifier = NoteVerifier.parse(text);
  if (verifier !== undefined) return verifier;
  throw usageError(
    "Cannot use --key: it is not the key of a log",
    "Give what `rekey audit key` prints, or @FILE for a file of it",
  );
}

function checkpointsIn(path: string, verifier: NoteVerifier): Checkpoint[] {
  const notes = splitNotes(readInputText(path));
  if (notes.length === 0) {
    throw usageError(
      `Cannot use ${path}: it does not hold a checkpoint`,
      "Give what `rekey audit checkpoint` prints",
    );
  }
  return notes.map((note, index) => {
    const checkpoint = openCheckpoint(verifier, note);
    if (checkpoint !== undefined) return checkpoint;
    throw new RekeyError(
      "check_failed",
      `Checkpoint ${index + 1} of ${path} is not signed with this key`,
      { hint: "Was it changed, or is it of another log? `rekey audit key` prints a log's key" },
    );
  });
}
