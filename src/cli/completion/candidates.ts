import type { Argument, Command, Option } from "commander";
import { takesValue } from "../table/command.ts";
import { HERE } from "../../system/here.ts";
import { TOPICS } from "../topics/names.ts";
import { type Line, optionOf, split } from "./line.ts";

/** A word that could stand there. */
export interface Candidate {
  readonly word: string;
  readonly description: string;
}

/** What a shell should offer besides, from what it knows itself. */
export type Besides = "files" | "folders" | "commands" | "nothing";

/** What only the installation knows. */
export interface CompletionSource {
  users(prefix: string): Candidate[];
  sessions(prefix: string): Candidate[];
  versions(): Candidate[];
}

/** Answer to a shell. */
export interface Completion {
  readonly candidates: readonly Candidate[];
  readonly besides: Besides;
}

/** What could stand in the place of a line's last word. */
export function completionOf(line: Line, known: CompletionSource): Completion {
  const { command, given, afterDashes, option, word } = line;
  if (option !== undefined) return fitting(valuesOf(option, word, known), word);
  if (afterDashes) return afterTheDashes(line, known);
  const [name, value] = split(word);
  const assigned = value === undefined ? undefined : optionOf(command, name);
  if (takesValue(assigned)) {
    return assignment(`${name}=`, valuesOf(assigned, value!, known), value!);
  }
  if (word.startsWith("-")) return fitting(of(optionsOf(command)), word);
  const argument = command.registeredArguments[given.length];
  const below = given.length === 0 ? commandsOf(command) : [];
  const values = argument === undefined ? of([]) : argumentsOf(command, argument, word, known);
  return fitting({ ...values, candidates: [...below, ...values.candidates] }, word);
}

const of = (candidates: readonly Candidate[], besides: Besides = "nothing") => ({
  candidates,
  besides,
});

function fitting({ candidates, besides }: Completion, word: string): Completion {
  return { candidates: candidates.filter((one) => one.word.startsWith(word)), besides };
}

function assignment(name: string, completion: Completion, value: string): Completion {
  const { candidates, besides } = fitting(completion, value);
  return of(candidates.map((one) => ({ ...one, word: `${name}${one.word}` })), besides);
}

// What follows -- is a program's line, or flags that are given to `rotate`.
function afterTheDashes({ command, given, word }: Line, known: CompletionSource): Completion {
  if (command.name() === "exec") return of([], given.length === 0 ? "commands" : "files");
  const rotate = command.parent?.commands.find((one) => one.name() === "rotate");
  if (command.name() !== "schedule" || rotate === undefined) return of([]);
  const before = optionOf(rotate, given.at(-1) ?? "");
  if (takesValue(before)) return fitting(valuesOf(before, word, known), word);
  return fitting(of(rotate.options.filter(isShown).map(described)), word);
}

function commandsOf(command: Command): Candidate[] {
  const help = command.createHelp();
  return help.visibleCommands(command).map((one) => ({
    word: one.name(),
    description: one.description(),
  }));
}

function optionsOf(command: Command): Candidate[] {
  const above = command.parent === null ? [] : optionsOf(command.parent);
  const help = { word: "--help", description: "show help" };
  const own = command.options.filter(isShown).map(described);
  // --version is the program's alone.
  return command.parent === null ? [...own, help] : [...own, ...above.filter(isEverybodys)];
}

const isEverybodys = ({ word }: Candidate) => word !== "--version";
const isShown = ({ hidden, long }: Option) => !hidden && long !== undefined;

function described({ long, description }: Option): Candidate {
  return { word: long!, description };
}

function valuesOf(option: Option, value: string, known: CompletionSource): Completion {
  const { argChoices, long, flags } = option;
  if (argChoices !== undefined) return of(plain(argChoices));
  if (long === "--user") return of(known.users(value));
  if (long === "--of") return of(known.versions());
  if (long === "--on-rotate") {
    const signals = HERE.programs.sendable.map((signal) => `signal:${signal.slice("SIG".length)}`);
    return of(plain(["restart", ...signals]));
  }
  if (long === "--data-dir") return of([], "folders");
  return of([], /<(path|file)>/.test(flags) ? "files" : "nothing");
}

function argumentsOf(
  command: Command,
  argument: Argument,
  word: string,
  known: CompletionSource,
): Completion {
  const { argChoices } = argument;
  if (argChoices !== undefined) return of(plain(argChoices));
  const what = `${command.parent?.name()} ${command.name()} ${argument.name()}`;
  if (/^user (passwd|remove) name$/.test(what)) return of(known.users(word));
  if (command.name() === "help") return of([...commandsOf(command.parent!), ...plain(TOPICS)]);
  if (what === "session revoke jti") return of(known.sessions(word));
  return of([], argument.name() === "path" ? "files" : "nothing");
}

function plain(words: readonly string[]): Candidate[] {
  return words.map((word) => ({ word, description: "" }));
}
