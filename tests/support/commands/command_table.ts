import type { Command, Option } from "commander";
import { makeProgram } from "../../../src/cli/program.ts";

/** A command of the table, by the words that call it. */
export interface Called {
  readonly words: readonly string[];
  readonly command: Command;
}

/** Every command of the table with the program itself, which has no words; hidden ones too. */
export async function everyCommand(): Promise<Called[]> {
  return below(await makeProgram("0", () => Promise.resolve()), []);
}

function below(command: Command, words: readonly string[]): Called[] {
  const others = command.commands.flatMap((one) => below(one, [...words, one.name()]));
  return [{ words, command }, ...others];
}

const SAMPLES = [
  "1h",
  "1d",
  "0660",
  "1",
  "64",
  "2048",
  "a",
  "a=b",
  "X",
  "03:00",
  "2099-01-01",
  "restart",
  "http://127.0.0.1:1/",
  `1:${"a".repeat(43)}`,
];

/** A value that an option takes. */
export function sampleFor(option: Option): string {
  const fits = (text: string) => {
    try {
      option.parseArg?.(text, option.defaultValue);
      return true;
    } catch {
      return false;
    }
  };
  const sample = option.argChoices?.[0] ?? SAMPLES.find(fits);
  if (sample === undefined) throw new Error(`No value is known that ${option.long} takes`);
  return sample;
}
