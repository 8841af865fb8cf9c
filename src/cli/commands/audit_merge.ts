import { basename } from "node:path";
import type { AuditRow } from "../../audit/events.ts";
import { mergeLogs } from "../../audit/merge.ts";
import { asRefusal, RekeyError } from "../../core/errors.ts";
import { readInputText } from "../../files/input_files.ts";
import type { Context } from "../context.ts";

/** Merges what `audit export` has printed on several machines, named by their files. */
export function auditMerge(paths: readonly string[], { output }: Context): void {
  const logs = new Map<string, AuditRow[]>();
  for (const path of paths) {
    const machine = basename(path).replace(/\.[^.]*$/, "");
    if (logs.has(machine)) throw unusable(path, "another file has the same name");
    logs.set(machine, rowsIn(path));
  }
  for (const { machine, row } of mergeLogs(logs)) output.line({ machine, ...row });
}

function rowsIn(path: string): AuditRow[] {
  const lines = textOf(path).split("\n").filter((line) => line !== "");
  return lines.map((line) => {
    const row = parsed(path, line);
    const { seq, time, event, version, location } = row;
    const sound = Number.isSafeInteger(seq) && typeof time === "string" &&
      typeof event === "string" && (version === null || Number.isSafeInteger(version)) &&
      (location === null || typeof location === "string");
    if (!sound) throw unusable(path, "a line is no audit row");
    return row;
  });
}

function parsed(path: string, line: string): AuditRow {
  try {
    const row: unknown = JSON.parse(line);
    if (typeof row === "object" && row !== null && !Array.isArray(row)) return row as AuditRow;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw unusable(path, "a line is no JSON object");
}

function textOf(path: string): string {
  try {
    return readInputText(path);
  } catch (error) {
    throw unusable(path, asRefusal(error).message.replace(/^[^:]*: /, ""));
  }
}

function unusable(path: string, why: string): RekeyError {
  return new RekeyError("usage", `Cannot merge ${path}: ${why}`, {
    hint: "Give files that `rekey audit export` has written, one for each machine and named by it",
  });
}
