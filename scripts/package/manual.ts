/** Manual pages (man(7)), made from the command table and the pages of `rekey help`. */
import type { Command, Option } from "commander";
import { makeProgram } from "../../src/cli/program.ts";
import { PAGES } from "../../src/cli/flags/help.ts";
import { EXIT_STATUSES } from "../../src/core/errors.ts";

/** Pages by their files' names: `rekey.1`, `rekey-rotate.1`, …, `rekey-storage.7`, …. @param date as YYYY-MM-DD. */
export async function manualPages(
  version: string,
  date: string,
): Promise<Map<string, string>> {
  const program = await makeProgram(version, () => Promise.resolve());
  const head = (name: string, section: number) =>
    `.TH "${name.toUpperCase()}" "${section}" "${date}" "rekey ${version}"\n`;
  const commands = visible(program);
  const names = commands.map((command) => `rekey-${command.name()}`);
  const topics = Object.entries(PAGES).map(([topic, text]) => [`rekey-${topic}`, text] as const);
  const related = [
    ...names.map((name) => reference(name, 1)),
    ...topics.map(([name]) => reference(name, 7)),
  ];
  return new Map([
    ["rekey.1", head("rekey", 1) + tidy(overview(program, related))],
    ...commands.map((command, at): [string, string] => [
      `${names[at]}.1`,
      head(names[at]!, 1) + tidy(commandPage(command)),
    ]),
    ...topics.map(([name, text]): [string, string] => [
      `${name}.7`,
      head(name, 7) + tidy(topicPage(name, text)),
    ]),
  ]);
}

const visible = (command: Command) => command.createHelp().visibleCommands(command) as Command[];

const reference = (name: string, section: number) => `.BR ${roff(name)} (${section})`;

function overview(program: Command, related: string[]): string {
  return [
    section("NAME", `rekey \\- ${roff(sentence(program.description()))}`),
    section("SYNOPSIS", ".B rekey\n[\\fIoptions\\fR] \\fIcommand\\fR [\\fIarguments\\fR]"),
    section(
      "DESCRIPTION",
      "The result goes to standard output and everything else to standard error.\n" +
        "With \\fB\\-\\-json\\fR both are one JSON object a line.",
    ),
    section(
      "COMMANDS",
      visible(program).map((command) =>
        `.TP\n.B ${roff(command.name())}\n${roff(command.description())}`
      ).join("\n"),
    ),
    section("OPTIONS", `These are for every command.\n${optionList(program.options)}`),
    section(
      "EXIT STATUS",
      Object.entries(EXIT_STATUSES).map(([status, text]) => `.TP\n.B ${status}\n${plain(text)}`)
        .join("\n"),
    ),
    section("SEE ALSO", related.join(",\n")),
  ].join("");
}

function commandPage(command: Command): string {
  const name = `rekey ${command.name()}`;
  const below = visible(command);
  return [
    section("NAME", `${roff(name.replace(" ", "-"))} \\- ${roff(command.description())}`),
    section(
      "SYNOPSIS",
      below.length === 0 ? synopsis(command) : below.map(synopsis).join("\n.br\n"),
    ),
    below.length === 0
      ? section("OPTIONS", details(command))
      : below.map((one) =>
        section(one.name().toUpperCase(), `${roff(sentence(one.description()))}.\n${details(one)}`)
      ).join(""),
    examples(command),
    section("SEE ALSO", reference("rekey", 1)),
  ].join("");
}

function synopsis(command: Command): string {
  const names: string[] = [];
  for (let at: Command | null = command; at !== null; at = at.parent) names.unshift(at.name());
  return `.B ${roff(names.join(" "))}\n${roff(command.usage())}`;
}

function details(command: Command): string {
  const given = command.registeredArguments.map((argument) =>
    `.TP\n.I ${roff(argument.name())}\n${roff(argument.description)}${choices(argument.argChoices)}`
  );
  const options = optionList(command.options);
  return [...given, options].filter(Boolean).join("\n") || "None of its own; see\n.BR rekey (1).";
}

function optionList(options: readonly Option[]): string {
  return options.filter(({ hidden }) => !hidden).map((option) => {
    const { defaultValueDescription: standard, argChoices } = option;
    const otherwise = standard === undefined ? "" : ` (default: ${roff(standard)})`;
    return `.TP\n.B ${roff(option.flags)}\n${roff(option.description)}${otherwise}${
      choices(argChoices)
    }`;
  }).join("\n");
}

function choices(list: readonly string[] | undefined): string {
  return list === undefined ? "" : `: ${roff(list.join(", "))}`;
}

// Commander keeps what comes after a command's help for its listeners.
function examples(command: Command): string {
  const parts: string[] = [];
  command.configureOutput({ writeOut: (text) => parts.push(text) });
  command.outputHelp();
  const [, text] = /\n *Examples?:\n([^]*)$/.exec(parts.join("")) ?? [];
  return text === undefined ? "" : section("EXAMPLES", literal(text.trimEnd().split("\n")));
}

function topicPage(name: string, text: string): string {
  const [title, , ...lines] = text.trimEnd().split("\n");
  const parts = [section("NAME", `${roff(name)} \\- ${roff(title!)}`)];
  let block: string[] = [];
  const end = () => {
    if (block.length > 0) parts.push(literal(block));
    block = [];
  };
  for (const line of lines) {
    if (line.startsWith("  ")) {
      block.push(line);
      continue;
    }
    end();
    if (line === "") parts.push(".PP\n");
    else if (/^[A-Z][A-Z, -]+$/.test(line)) parts.push(`.SH ${roff(line)}\n`);
    else parts.push(`${plain(line)}\n`);
  }
  end();
  return parts.join("");
}

function section(title: string, text: string): string {
  return `.SH ${roff(title)}\n${text.trimEnd()}\n`;
}

function literal(lines: readonly string[]): string {
  return `.PP\n.nf\n${lines.map(roff).join("\n")}\n.fi\n.PP\n`;
}

// A heading begins a paragraph by itself, and nothing needs one after it.
function tidy(page: string): string {
  return page.replace(/(?:\.PP\n)+(?=\.SH|\.PP|$)/g, "").replace(/(?<=^\.SH .*\n)\.PP\n/gm, "");
}

const sentence = (text: string) => text.replace(/\.$/, "");

// Code spans are bold.
function plain(text: string): string {
  return text.split(/`([^`]*)`/).map((part, at) =>
    at % 2 === 0 ? roff(part) : `\\fB${roff(part)}\\fR`
  )
    .join("");
}

/** Text that roff prints as it is. */
function roff(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replace(/^(?=[.'])/gm, "\\&");
}
