import bash from "./rekey.bash" with { type: "text" };
import fish from "./rekey.fish" with { type: "text" };
import powershell from "./rekey.ps1" with { type: "text" };
import zsh from "./rekey.zsh" with { type: "text" };

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
