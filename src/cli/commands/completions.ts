import bash from "../completion/rekey.bash" with { type: "text" };
import fish from "../completion/rekey.fish" with { type: "text" };
import powershell from "../completion/rekey.ps1" with { type: "text" };
import zsh from "../completion/rekey.zsh" with { type: "text" };
import type { Command } from "commander";
import {
  completionOf as completed,
  knownOf,
  type Line,
  readLine,
} from "../completion/candidates.ts";
import type { Context, GlobalOptions } from "../context.ts";
import { printable } from "../format.ts";
import { readStdinBytes } from "../terminal.ts";

const SCRIPTS = { bash, zsh, fish, powershell };

/** Shells that completions are made for. */
export type Shell = keyof typeof SCRIPTS;

/**
 * What a shell reads to complete lines of `rekey`. The lines are understood by `rekey complete` itself: it gets the
 * words before the cursor on stdin, one a line, and answers with what the shell is to offer besides (`:files`,
 * `:folders`, `:commands`, `:nothing`), and then candidates, each with a tab and what it means.
 */
export function completionScript(shell: Shell): string {
  return SCRIPTS[shell];
}

const LONGEST_LINE = 1_000_000;

/** Reads the words of the typed line from stdin, one per line. */
export function lineFromStdin(program: Command): Line {
  const text = new TextDecoder().decode(readStdinBytes(LONGEST_LINE));
  const words = text.replace(/\r?\n$/, "").split(/\r?\n/);
  return readLine(program, words);
}

/** The installation that the typed line names. */
export function globalsOf({ values }: Line): GlobalOptions {
  const [app, dataDir] = [values["--app"], values["--data-dir"]];
  return { ...app && { app }, ...dataDir && { dataDir }, color: false };
}

/** Prints candidates for the last word, for the scripts of `rekey completions`. */
export function complete(line: Line, { secrets, output }: Context): void {
  const { candidates, besides } = completed(line, knownOf(secrets.environment));
  // Names with control characters are not offered.
  const sound = candidates.filter(({ word }) => word === printable(word));
  const lines = sound.map(({ word, description }) => `${word}\t${printable(description)}`);
  output.result({}, [`:${besides}`, ...lines]);
}
