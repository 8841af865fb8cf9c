import type { Argument, Command, Option } from "commander";
import { takesValue } from "../flags/command.ts";
import { rfc3339 } from "../../core/clock.ts";
import { Sessions } from "../../users/sessions.ts";
import { Users } from "../../users/users.ts";
import { Deliveries } from "../../store/sqlite/deliveries.ts";
import { FORMAT_PRESETS, PRESET_NAMES } from "../../deliver/presets.ts";
import type { Installation } from "../../store/installation.ts";
import type { Environment } from "../../store/environment.ts";
import { TOPICS } from "../flags/help.ts";
import { SYSTEM } from "../../system/system.ts";
import bash from "../completion/rekey.bash" with { type: "text" };
import fish from "../completion/rekey.fish" with { type: "text" };
import powershell from "../completion/rekey.ps1" with { type: "text" };
import zsh from "../completion/rekey.zsh" with { type: "text" };
import { type Context, type GlobalOptions, lookAt } from "../context.ts";
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
  output.result({ shell, script }, [script.trimEnd()]);
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
  const { candidates, shellSource } = completionOf(line, knownOf(secrets.environment));
  // Names with control characters are not offered.
  const sound = candidates.filter(({ word }) => word === printable(word));
  const lines = sound.map(({ word, description }) => `${word}\t${printable(description)}`);
  output.result({}, [`:${shellSource}`, ...lines]);
}

/** A command line being typed: the words so far, and the last word to complete. */
export interface Line {
  /** The command named so far. */
  readonly command: Command;
  /** Arguments of the command so far. */
  readonly given: readonly string[];
  /** Whether the last word follows `--`, so that it is not an option. */
  readonly afterDashes: boolean;
  /** The option whose value is being typed. */
  readonly option: Option | undefined;
  /** Option values so far, by long name. */
  readonly values: Readonly<Record<string, string>>;
  readonly word: string;
}

/** Parses the words after the program's name; the last one is being typed and may be empty. */
export function readLine(program: Command, words: readonly string[]): Line {
  let command = program;
  let afterDashes = false;
  let option: Option | undefined;
  const given: string[] = [];
  const values: Record<string, string> = {};
  for (const word of words.slice(0, -1)) {
    if (option !== undefined) {
      values[option.long!] = word;
      option = undefined;
    } else if (afterDashes) {
      given.push(word);
    } else if (word === "--") {
      afterDashes = true;
    } else if (word.startsWith("-") && word !== "-") {
      const [name, value] = split(word);
      const found = optionOf(command, name);
      if (!takesValue(found)) continue;
      if (value === undefined) option = found;
      else values[found.long!] = value;
    } else {
      const below = given.length === 0
        ? command.commands.find((one) => one.name() === word)
        : undefined;
      if (below === undefined) given.push(word);
      else command = below;
    }
  }
  return { command, given, afterDashes, option, values, word: words.at(-1) ?? "" };
}

/** Splits `--name=value`. */
function split(word: string): [name: string, value: string | undefined] {
  const at = word.indexOf("=");
  return at < 0 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)];
}

/** An option of a command or of its parents. */
function optionOf(command: Command, name: string): Option | undefined {
  return command.options.find(({ short, long }) => name === short || name === long) ??
    (command.parent === null ? undefined : optionOf(command.parent, name));
}

const MOST = 100;

/** Names and numbers of an installation, read without changes and without prompts. */
function knownOf(environment: Environment): CompletionSource {
  const look = (read: (installation: Installation) => Candidate[]) =>
    lookAt(environment, read) ?? [];
  return {
    users: (prefix) => look(({ database }) => usersOf(new Users(database), prefix)),
    sessions: (prefix) => look((installation) => sessionsOf(installation, prefix)),
    versions: () => look((installation) => versionsOf(installation)),
    deliveries: () => look(({ database }) => deliveriesOf(new Deliveries(database))),
  };
}

// In name order, names with a prefix follow the prefix itself.
function usersOf(users: Users, prefix: string): Candidate[] {
  const exact = users.find(prefix);
  const found = [...exact === undefined ? [] : [exact], ...users.list(MOST, prefix)];
  return found.map(({ name }) => ({ word: name, description: "user" }));
}

function sessionsOf(installation: Installation, prefix: string): Candidate[] {
  const open = new Sessions(installation.database).list(MOST, installation.now());
  return open.filter(({ jti }) => jti.startsWith(prefix))
    .map(({ jti, sub, issued_at }) => ({
      word: jti,
      description: `${sub}, ${rfc3339(issued_at)}`,
    }));
}

function versionsOf({ versions }: Installation): Candidate[] {
  return versions.every().slice(0, MOST).map(({ version, created_at, state }) => ({
    word: String(version),
    description: `${state}, ${rfc3339(created_at)}`,
  }));
}

function deliveriesOf(deliveries: Deliveries): Candidate[] {
  return deliveries.all().map(({ name, settings: { preset } }) => ({
    word: name,
    description: preset,
  }));
}

function presets(): Candidate[] {
  const formats = FORMAT_PRESETS.map(({ name }) => name);
  return plain([...PRESET_NAMES, ...formats]);
}

/** A candidate for the last word. */
interface Candidate {
  readonly word: string;
  readonly description: string;
}

/** What the shell itself should offer in addition. */
type ShellSource = "files" | "folders" | "commands" | "nothing";

/** Candidates from the installation. */
interface CompletionSource {
  users(prefix: string): Candidate[];
  sessions(prefix: string): Candidate[];
  versions(): Candidate[];
  deliveries(): Candidate[];
}

/** The answer to the shell. */
interface Completion {
  readonly candidates: readonly Candidate[];
  readonly shellSource: ShellSource;
}

/** Completes the last word of a line. */
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
