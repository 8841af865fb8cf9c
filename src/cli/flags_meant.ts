import type { Command, Option } from "commander";

/**
 * What users of other programs may type, by the flag that does it here. Where a command has several of the flags, the first
 * one counts.
 */
export const FLAGS_MEANT: Readonly<Record<string, string>> = {
  "--help": "-? --usage --man",
  "--force":
    "-y --yes -f --assume-yes --auto-approve --confirm --no-confirm --no-prompt --no-input " +
    "--non-interactive --batch",
  "--listen": "-l -p --port --bind --address --addr --http",
  "--unix": "-s --socket",
  "--tls-cert": "--cert --cert-file --tls-cert-file --crt",
  "--tls-key": "--key --key-file --tls-key-file",
  "--ttl": "-t --exp --expires --expires-in --expiry --expiration --lifetime --valid --not-after " +
    "--duration",
  "--sub": "-u --subject --user",
  "--aud": "--audience",
  "--iss": "--issuer",
  "--alg": "-a --algorithm --kty --crv",
  "--bytes": "-l --length --size",
  "--claim": "--set --add-claim --payload",
  "--from-env": "-e --env --environment --variable",
  "--file": "-f -i -k --from-file --input --in --path --secret-file --key --key-file",
  "--path": "-o --file --out --output --to --dest",
  "--grace": "-g --grace-period --overlap --period",
  "--at": "--when --delay --schedule",
  "--if-older-than": "--max-age --older-than --if-older --min-age",
  "--lock-timeout": "--timeout",
  "--reason": "-m --message --comment --note",
  "--dry-run": "-n --dryrun --dry --check --simulate --whatif --what-if --plan",
  "--every": "--interval --period --max-age --if-older-than",
  "--recipient": "-r --to",
  "--recipients-file": "-R",
  "--identity-file": "-i --identity",
  "--passphrase-file": "-p --passphrase --password --password-file",
  "--fix": "--repair --force",
  "--with-secret": "--secret --encrypt --full",
  "--user": "--all --sub --subject",
  "--limit": "-n --lines --count --tail",
  "--app": "-n --name --application --service --profile --namespace",
  "--data-dir": "-d --data --dir --db --database --home",
  "--store": "-b --backend --keyring --storage",
  "--kek-file": "-k --kek",
  "--json": "-j --format",
  "--quiet": "-s --silent",
  "--no-color": "--color --colour --no-colour --plain",
};

/** What no flag does, and what to do instead. */
export const NO_FLAG: Readonly<Record<string, string>> = {
  "-v -vv --verbose --debug --trace":
    "`rekey doctor` and `rekey audit list` say more; `rekey --version` shows the version",
  "-c --config --config-file":
    "There is no configuration file: `rekey --help` has the flags, and the variables in brackets",
  "-o --out --output": "Send stdout to a file, with > FILE; --json makes it JSON",
  "--stdin --from-stdin": "Leave it out: stdin is read where nothing else is named",
  "--token --secret --password --passphrase":
    "Keep it off the command line, which other users can see: `rekey verify` and `rekey import` read stdin",
};

const AT_ONCE = {
  "--now --immediately --instant":
    "Leave it out: `rekey rotate` acts at once, unless --at names a time",
  "--emergency --incident --compromised --leaked --hard":
    "Write --force without --grace: every session ends with it",
};

/** What means something else to a command than to the others, by the command's line. */
export const FLAGS_OF: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "rekey exec": {
    "-d --duration --ttl --lease":
      "Leave it out: a program has the secret until it ends; --on-rotate says what a rotation does to it",
    "--server --ec2-server --ecs-server":
      "Leave it out: the secret is in the program's environment, and with --keys-file also in a file",
  },
  "rekey rotate": AT_ONCE,
  "rekey security rotate-jwt-secret": AT_ONCE,
  "rekey import": {
    "--value --string --data --text --hex --base64":
      "Keep it off the command line, which other users can see: `rekey import` reads stdin, --file or --from-env",
  },
  "rekey restore": {
    "--from --backup --input --in": "Write it without a flag: `rekey restore`, then the path",
  },
  "rekey verify": {
    "-f --file --from-file --input --in --path --jwt":
      "Leave it out: `rekey verify` reads the token from stdin",
  },
};

/**
 * What to write instead of a flag that a command does not know.
 *
 * @param typed the flag, without a value; it is never repeated.
 * @param command the one that does not know it.
 * @param line the words of the command line.
 */
export function flagMeant(
  typed: string,
  command: Command,
  line: readonly string[],
): string | undefined {
  const target = commandNamed(command, line);
  const own = adviceFor(FLAGS_OF[lineOf(target)] ?? {}, typed);
  if (own !== undefined) return own;
  const argument = argumentOf(typed, target);
  if (argument !== undefined) {
    return `Write it without a flag: \`${lineOf(target)} <${argument}>\``;
  }
  const flag = flagOf(typed, target);
  if (flag === undefined) return otherwise(typed, target);
  const option = optionsOf(target).find(({ long }) => long === flag);
  // A flag of all commands may stand anywhere.
  const isMisplaced = target !== command && target.options.some(({ long }) => long === flag);
  const place = isMisplaced ? ` after \`${lineOf(target)}\`` : "";
  return `Write ${option?.flags.replace(/^-\w, /, "") ?? flag}${place}${purposeOf(option)}`;
}

// It does more there than what the other word promises.
function purposeOf(option?: Option): string {
  const isOther = option?.long === "--force" && !option.description.startsWith("do not ask");
  return isOther ? ` to ${option.description}` : "";
}

function otherwise(typed: string, command: Command): string | undefined {
  const advice = undo(typed, command) ?? adviceFor(NO_FLAG, typed);
  if (advice !== undefined) return advice;
  if (command.parent === null) {
    const flag = Object.keys(FLAGS_MEANT).find((flag) => isAmong(FLAGS_MEANT[flag]!, typed));
    return flag === undefined ? undefined : `Write ${flag} after a command that has it`;
  }
  // Every command that asks has the flag.
  const asksNothing = isAmong(`--force ${FLAGS_MEANT["--force"]}`, typed);
  return asksNothing ? "Leave it out: this command does not ask whether to go on" : undefined;
}

/** The argument of a command that a flag is meant for. */
function argumentOf(typed: string, { registeredArguments }: Command): string | undefined {
  const isMeant = (name: string) =>
    typed === `--${name}` || (name === "path" && isAmong(FLAGS_MEANT["--path"]!, typed));
  // A token is better kept off the command line.
  return registeredArguments.map((argument) => argument.name())
    .find((name) => name !== "token" && isMeant(name));
}

/** A command's name with those it belongs to: `rekey kek rotate`. */
export function lineOf(command: Command): string {
  return command.parent === null ? command.name() : `${lineOf(command.parent)} ${command.name()}`;
}

/** The options that a command takes, those of all commands too. */
export function optionsOf(command: Command): Option[] {
  return [...command.options, ...command.parent === null ? [] : optionsOf(command.parent)];
}

/** The command that the words of a line name, below one that refused a flag. */
export function commandNamed(command: Command, line: readonly string[]): Command {
  let found = command;
  for (const word of line) {
    found = found.commands.find((one) => one.name() === word) ?? found;
  }
  return found;
}

function flagOf(typed: string, command: Command): string | undefined {
  const has = (flag: string) =>
    flag === "--help" || optionsOf(command).some(({ long }) => long === flag);
  const long = typed.replace(/^-(?=[a-z]{2})/, "--");
  if (has(long)) return long;
  return Object.keys(FLAGS_MEANT).find((flag) => has(flag) && isAmong(FLAGS_MEANT[flag]!, typed));
}

/** What `--no-X` asks for where there is `--X`, and `--X` where there is `--no-X`. */
function undo(typed: string, command: Command): string | undefined {
  const has = (flag: string) => optionsOf(command).some(({ long }) => long === flag);
  const [positive, negative] = [typed.replace("--no-", "--"), typed.replace("--", "--no-")];
  if (positive !== typed && has(positive)) return `Leave ${positive} out`;
  return has(negative) ? `Leave it out: that is so without ${negative}` : undefined;
}

/** The advice of a table whose key has a word among its words. */
export function adviceFor(
  table: Readonly<Record<string, string>>,
  word: string,
): string | undefined {
  const words = Object.keys(table).find((words) => isAmong(words, word));
  return words === undefined ? undefined : table[words];
}

function isAmong(words: string, word: string): boolean {
  return words.split(" ").includes(word);
}
