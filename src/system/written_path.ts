import { RekeyError } from "../core/errors.ts";
import type { Paths } from "./system.ts";

// What stands in a path that was not read as its writer meant it: shells expand what systemd's Environment=, docker's
// --env-file and a flag's =VALUE take as it is.
const FAULTS: readonly [pattern: RegExp, fault: string][] = [
  [/^\s|\s$/, "it begins or ends with a space or a line end"],
  [/^['"`]|['"`]$/, "it has quotation marks around it"],
  [/^~/, "it begins with ~, which nothing has expanded"],
  [/^\/(.*\/)?~(\/|$)/, "it has a ~ in it, which nothing has expanded"],
  [/\$[A-Za-z_({]/, "it has a $ in it, which nothing has expanded"],
  [/%[A-Za-z](?![A-Za-z0-9])/, "it has a % in it, which nothing has expanded"],
  [/^%[A-Za-z]\w*%/, "it has a % in it, which nothing has expanded"],
  [/^[A-Za-z][A-Za-z0-9+.-]+:\/\//, "it is a URL"],
  [/\0/, "it has a zero byte in it"],
];

/** Why a text can hardly be the path that was meant on a system; `undefined` when it can. */
export function faultOfPath(text: string, paths: Paths): string | undefined {
  return FAULTS.find(([pattern]) => pattern.test(text))?.[1] ?? paths.faultOf(text);
}

/**
 * A path that an environment variable names. A relative one would be another place in each folder that a command is run
 * in, and a folder or a secret would be made there.
 *
 * @throws {RekeyError} `usage` when it is not absolute, or hardly what was meant.
 */
export function pathOf(variable: string, value: string, paths: Paths): string {
  const fault = faultOfPath(value, paths) ??
    (/\s#/.test(value) ? "it has a comment after it" : undefined) ??
    (paths.isWhole(value) ? undefined : "it is a relative path");
  if (fault === undefined) return value;
  const hint = `Write the whole path, from ${paths.root} on, without quotation marks`;
  throw unusablePath(variable, fault, hint);
}

/** A path that a flag or an argument names; it may be relative to the working folder. @throws {RekeyError} `usage`. */
export function pathGiven(name: string, value: string, paths: Paths): string {
  const fault = faultOfPath(value, paths);
  if (fault === undefined) return value;
  const isNone = fault === paths.faultOf(value);
  const hint = isNone
    ? "Name another file or folder"
    : "Write the path itself; one that really begins so goes on from ./";
  throw unusablePath(name, fault, hint);
}

function unusablePath(name: string, fault: string, hint: string): RekeyError {
  return new RekeyError("usage", `Cannot use ${name}: ${fault}`, { hint });
}
