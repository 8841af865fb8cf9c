import type { Argument, Command, Option } from "commander";
import { FORMAT_PRESETS, PRESET_NAMES } from "../../deliver/presets.ts";
import { SYSTEM } from "../../system/system.ts";
import { takesValue } from "../flags/command.ts";
import { TOPICS } from "../flags/help.ts";
import type { Candidate, CompletionSource } from "./known_names.ts";
import { optionOf, split, type TypedLine } from "./typed_line.ts";

/** What the shell itself should offer in addition. */
type ShellSource = "files" | "folders" | "commands" | "nothing";

/** The answer to the shell. */
interface Completion {
  readonly candidates: readonly Candidate[];
  readonly shellSource: ShellSource;
}

/** Completes the last word of a line. */
export function completionOf(line: TypedLine, known: CompletionSource): Completion {
  const { command, given, afterDashes, option, word } = line;
  if (option !== undefined) return fitting(valuesOf(option, word, known), word);
  if (afterDashes) return afterTheDashes(line, known);
  const [name, value] = split(word);
  const assigned = value === undefined ? undefined : optionOf(command, name);
  if (takesValue(assigned)) {
    return assignment(`${name}=`, valuesOf(assigned, value!, known), value!);
  }
  if (word.startsWith("-")) return fitting(of(optionsOf(command)), word);
  const last = command.registeredArguments.at(-1);
  const argument = command.registeredArguments[given.length] ?? (last?.variadic ? last : undefined);
  const below = given.length === 0 ? commandsOf(command) : [];
  const values = argument === undefined ? of([]) : argumentsOf(command, argument, word, known);
  return fitting({ ...values, candidates: [...below, ...values.candidates] }, word);
}

const of = (candidates: readonly Candidate[], shellSource: ShellSource = "nothing") => ({
  candidates,
  shellSource,
});

function fitting({ candidates, shellSource }: Completion, word: string): Completion {
  return { candidates: candidates.filter((one) => one.word.startsWith(word)), shellSource };
}

function assignment(name: string, completion: Completion, value: string): Completion {
  const { candidates, shellSource } = fitting(completion, value);
  return of(candidates.map((one) => ({ ...one, word: `${name}${one.word}` })), shellSource);
}

// After `--` come a program's words (exec) or flags for `rotate` (schedule).
function afterTheDashes({ command, given, word }: TypedLine, known: CompletionSource): Completion {
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
  // Only the program itself has --version.
  return command.parent === null ? [...own, help] : [...own, ...above.filter(isGlobal)];
}

const isGlobal = ({ word }: Candidate) => word !== "--version";
const isShown = ({ hidden, long }: Option) => !hidden && long !== undefined;

function described({ long, description }: Option): Candidate {
  return { word: long!, description };
}

function valuesOf(option: Option, value: string, known: CompletionSource): Completion {
  const { argChoices, long, flags } = option;
  if (argChoices !== undefined) return of(plain(argChoices));
  if (long === "--user") return of(known.users(value));
  if (long === "--of") return of(known.versions());
  if (long === "--preset") return of(presets());
  if (long === "--on-rotate") {
    const signals = SYSTEM.programs.sendable.map((signal) =>
      `signal:${signal.slice("SIG".length)}`
    );
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
  if (/^user (passwd|remove|claims) name$/.test(what)) return of(known.users(word));
  if (command.name() === "help") return of([...commandsOf(command.parent!), ...plain(TOPICS)]);
  if (what === "session revoke jti") return of(known.sessions(word));
  if (/^deliver (show|sync|check|remove) name$/.test(what)) return of(known.deliveries());
  if (what === "deliver presets name") return of(presets());
  return of([], argument.name() === "path" ? "files" : "nothing");
}

function plain(words: readonly string[]): Candidate[] {
  return words.map((word) => ({ word, description: "" }));
}

function presets(): Candidate[] {
  const formats = FORMAT_PRESETS.map(({ name }) => name);
  return plain([...PRESET_NAMES, ...formats]);
}
