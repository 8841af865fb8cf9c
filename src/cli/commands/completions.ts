import type { Command } from "commander";
import bash from "../completion/rekey.bash" with { type: "text" };
import fish from "../completion/rekey.fish" with { type: "text" };
import powershell from "../completion/rekey.ps1" with { type: "text" };
import zsh from "../completion/rekey.zsh" with { type: "text" };
import { completionOf } from "../completion/candidates.ts";
import { knownOf } from "../completion/known_names.ts";
import { readLine, type TypedLine } from "../completion/typed_line.ts";
import type { Context, GlobalOptions } from "../context.ts";
import { printable } from "../format.ts";
import { readStdinBytes } from "../terminal.ts";

const SCRIPTS = { bash, zsh, fish, powershell };

/** Shells with completion scripts. */
export type Shell = keyof typeof SCRIPTS;

/**
 * The completion script of a shell. It calls `rekey complete`, which reads the words before the cursor from stdin, one per
 * line, and prints what the shell should offer in addition (`:files`, `:folders`, `:commands`, `:nothing`), then the
 * candidates, each with a tab and a description.
 */
export function completionScript(shell: Shell): string {
  return SCRIPTS[shell];
}

/** Prints the completion script of a shell. */
export function completions({ shell }: { shell: Shell }, { output }: Context): void {
  const script = completionScript(shell);
  output.text({ shell, script }, [script.trimEnd()]);
}

const LONGEST_LINE = 1_000_000;

/** Reads the words of the typed line from stdin, one per line. */
export function lineFromStdin(program: Command): TypedLine {
  const text = new TextDecoder().decode(readStdinBytes(LONGEST_LINE));
  const words = text.replace(/\r?\n$/, "").split(/\r?\n/);
  return readLine(program, words);
}

/** The installation that the typed line names. */
export function globalsOf({ values }: TypedLine): GlobalOptions {
  const [app, dataDir] = [values["--app"], values["--data-dir"]];
  return { ...app && { app }, ...dataDir && { dataDir }, color: false };
}

/** Prints candidates for the last word, for the scripts of `rekey completions`. */
export function complete(line: TypedLine, { secrets, output }: Context): void {
  const { candidates, shellSource } = completionOf(line, knownOf(secrets.environment));
  // Names with control characters are not offered.
  const sound = candidates.filter(({ word }) => word === printable(word));
  const lines = sound.map(({ word, description }) => `${word}\t${printable(description)}`);
  output.text({}, [`:${shellSource}`, ...lines]);
}
