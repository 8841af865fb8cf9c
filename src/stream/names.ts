import { resolve } from "node:path";
import { printable } from "../core/encoding.ts";
import { quoted, RekeyError, usageError } from "../core/errors.ts";
import { pathGiven, pathOf } from "../system/paths.ts";
import { SYSTEM } from "../system/system.ts";

/** Where rows of the audit log go. */
export type SinkPlace =
  | { readonly kind: "journal" | "syslog"; readonly path: string }
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "descriptor"; readonly number: number };

// A database, and what SQLite and rekey keep beside it under its name: rows in one of them would damage it.
const DATABASE_FILE = /\.db(?:[-.][^/\\]*)?$/i;

const FORMS = "Write journal, syslog, fd:N, or a file with its folder, such as ./audit.jsonl";

const LOCAL = "Write syslog: this machine's daemon can send it on to a server";

/**
 * The name of a sink as the database has it: paths in it are absolute.
 *
 * @param from the flag or variable that it comes from; a path in a variable must be absolute.
 * @throws {RekeyError} `usage` when it cannot be one.
 */
export function sinkName(text: string, from: "--audit-to" | "REKEY_AUDIT_TO"): string {
  // Not repeated: it may have a password in it. What follows the colon would be a path.
  if (/^(journal|syslog):\/\//.test(text)) {
    throw usageError(`Cannot use ${from}: it is a URL`, LOCAL);
  }
  const { kind, path, number } = partsOf(text);
  if (kind === undefined && number === undefined) return wholePath(text, from);
  if (SYSTEM.channels === undefined) {
    throw usageError(
      `Cannot use ${quoted(text)} in ${from}: on this system the audit log goes to files only`,
      "Name a file",
    );
  }
  if (number !== undefined && !/^[1-9]\d{0,4}$/.test(number)) {
    throw usageError(`Cannot use ${quoted(text)} in ${from}: it is no descriptor`, FORMS);
  }
  if (path === undefined) return text;
  const whole = wholePath(path, from);
  if (new TextEncoder().encode(whole).length <= SYSTEM.channels.longestPath) {
    return `${kind}:${whole}`;
  }
  throw usageError(
    `Cannot use ${
      quoted(text)
    } in ${from}: the path of a socket has at most ${SYSTEM.channels.longestPath} bytes`,
    "Name a shorter one, such as a symbolic link in /run",
  );
}

// A path alone has none of them.
function partsOf(name: string) {
  const [, kind, path] = /^(journal|syslog)(?::(.*))?$/.exec(name) ?? [];
  const [, number] = /^fd:(.*)$/.exec(name) ?? [];
  return { kind: kind as "journal" | "syslog" | undefined, path, number };
}

// A misspelt `journal` would become a file.
function wholePath(text: string, from: "--audit-to" | "REKEY_AUDIT_TO"): string {
  if (!/[/\\]/.test(text)) {
    throw usageError(`Cannot use ${quoted(text)} in ${from}: there is no such sink`, FORMS);
  }
  const whole = from === "--audit-to"
    ? resolve(pathGiven(from, text, SYSTEM.paths))
    : pathOf(from, text, SYSTEM.paths);
  const fault = faultOf(whole);
  if (fault === undefined) return whole;
  throw usageError(`Cannot use ${quoted(text)} in ${from}: ${fault}`, "Name another one");
}

function faultOf(path: string): string | undefined {
  if (path.includes(",")) return "it has a comma in it";
  if (printable(path) !== path) return "it has a control character in it";
  return DATABASE_FILE.test(path) ? "a database has such a name" : undefined;
}

/** What a name of {@linkcode sinkName} stands for. @throws {RekeyError} `failed` where there are only files. */
export function placeOf(name: string): SinkPlace {
  const { kind, path, number } = partsOf(name);
  if (kind === undefined && number === undefined) return { kind: "file", path: name };
  const { channels } = SYSTEM;
  if (channels === undefined) {
    throw new RekeyError("failed", `Cannot use ${name}: this system has no such sink`);
  }
  return kind === undefined
    ? { kind: "descriptor", number: Number(number) }
    : { kind, path: path ?? channels[kind] };
}

/** The name of a sink without its folder, for those who may not see paths. */
export function publicName(name: string): string {
  const [, kind, path] = /^(?:(journal|syslog):)?(.*[/\\].*)$/.exec(name) ?? [];
  if (path === undefined) return name;
  return `${kind ?? "file"}:${path.replace(/^.*[/\\]/, "")}`;
}
