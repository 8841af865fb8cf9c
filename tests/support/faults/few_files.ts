import assert from "node:assert/strict";
import { type Box, type Ended, REKEY } from "../process/box.ts";

/** With fewer the runtime itself cannot start: docs/limits.md says so. */
export const LEAST = 15;

/** Runs rekey where a process may have only that many files open, and `inherited` ones besides the standard three. */
export function amongOthers(
  inherited: number,
  files: number,
  box: Box,
  ...args: string[]
): Promise<Ended> {
  // What the tests have inherited themselves is closed.
  const line = `for one in /proc/$$/fd/*; do
      number=\${one##*/}; if [ $number -gt 2 ]; then exec {number}>&-; fi
    done
    for one in $(seq "$1"); do exec {number}</dev/null; done
    ulimit -n "$2"; shift 2; exec "$@"`;
  const words = [String(inherited), String(files), REKEY, ...args];
  return box.exec("/bin/bash", ["-c", line, "bash", ...words]);
}

export const among = (...[files, box, ...args]: [number, Box, ...string[]]) =>
  amongOthers(0, files, box, ...args);

/** Checks that a command has ended as usual, or says that the number of files is why it has not. */
export function mustSayWhy({ code, stderr }: Ended, what: string, usual = 0): void {
  assert.doesNotMatch(stderr, /panicked|a bug in rekey|was replaced|\n +at /, `${what}: ${stderr}`);
  if (code === usual) return;
  assert.match(stderr, /^error: (.*: )?Cannot /m, what);
  assert.match(stderr, /files open/, `${what}: ${stderr}`);
  assert.match(stderr, /^hint: .*ulimit -n/m, `${what}: ${stderr}`);
}
