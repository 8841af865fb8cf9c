import type { Command } from "commander";
import {
  completionOf as completed,
  knownOf,
  type Line,
  readLine,
} from "../completion/candidates.ts";
import type { Context, GlobalOptions } from "../context.ts";
import { printable } from "../describe.ts";
import { readStdinBytes } from "../terminal.ts";

const LONGEST_LINE = 1_000_000;

/** Reads the words of a line that is being typed from stdin, one a line. */
export function lineFromStdin(program: Command): Line {
  const text = new TextDecoder().decode(readStdinBytes(LONGEST_LINE));
  const words = text.replace(/\r?\n$/, "").split(/\r?\n/);
  return readLine(program, words);
}

/** By the line's own flags, whose installation it is about. */
export function globalsOf({ values }: Line): GlobalOptions {
  const [app, dataDir] = [values["--app"], values["--data-dir"]];
  return { ...app && { app }, ...dataDir && { dataDir }, color: false };
}

/** Prints what could stand in the place of a line's last word, for the scripts of `rekey completions`. */
export function complete(line: Line, { secrets, output }: Context): void {
  const { candidates, besides } = completed(line, knownOf(secrets.environment));
  // A name that could steer a terminal is better typed than completed.
  const sound = candidates.filter(({ word }) => word === printable(word));
  const lines = sound.map(({ word, description }) => `${word}\t${printable(description)}`);
  output.result({}, [`:${besides}`, ...lines]);
}
