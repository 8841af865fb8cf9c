import type { Command } from "commander";
import { adviceFor, lineOf, optionsOf } from "./flags_meant.ts";

/** What users of other programs may type as a command, and what does it here. */
export const COMMANDS_MEANT: Readonly<Record<string, string>> = {
  "list ls ll": "`rekey apps` lists the apps with a secret here, `rekey status` shows one of them",
  "show get read view cat print reveal export value secret secrets env":
    "No command prints the secret: `rekey status` shows where it is, `rekey exec` gives it to a program",
  "kv vault aws aws-vault gcloud az kubectl sops op pass":
    "`rekey import` takes a secret over, `rekey exec` gives it to a program; no command prints it",
  "age": "`rekey status` shows how old the secret is; `rekey backup --recipient` seals for age",
  "versions describe info whoami state kid": "`rekey status` shows version, location and age",
  "keys key public pubkey public-key jwk":
    "`rekey status` shows the versions, `rekey jwks` the public keys",
  "token tokens jwt sign": "`rekey issue` signs a token, `rekey verify` checks one",
  "decode inspect validate introspect": "`rekey verify` checks a token and shows what it says",
  "delete del rm remove uninstall purge wipe drop erase clear":
    "`rekey destroy` deletes all of an app, `rekey revoke` ends grace periods, `rekey user remove` a user",
  "add create new generate gen keygen setup bootstrap make initialize initialise write put":
    "`rekey init` creates the secret, `rekey import` takes one over",
  "renew roll regenerate change cycle refresh rekey rotate-secret rotate-key rotate-keys reset":
    "`rekey rotate` replaces the secret, `rekey kek rotate` the key-encryption key",
  "update upgrade":
    "`rekey rotate` replaces the secret; a new rekey is put in place of the old one",
  "server start daemon agent listen http up api": "`rekey serve` runs until it is stopped",
  "stop down restart reload":
    "`rekey serve` is stopped by its service manager or SIGTERM; it sees changes by itself",
  "run shell": "`rekey exec` runs a program with the secret in its environment",
  "check test health diagnose fix repair ping":
    "`rekey doctor` says what is wrong and how to fix it",
  "log logs history events journal tail":
    "`rekey audit list` shows the log, `rekey audit follow` goes on with it",
  "metrics statistics": "`rekey stats` shows figures, and `rekey serve` has them at /metrics",
  "config configure settings set option":
    "There is no configuration file: flags and variables are in `rekey --help`; `rekey policy set` is about tokens",
  "undo rollback revert recover":
    "A rotation stays; `rekey restore` brings a backup back, and a killed rotation is undone by the next command",
  "lock unlock seal unseal operator":
    "Nothing has to be unsealed; for a locked keyring `rekey doctor` says what to do",
  "login logout auth lease session-token":
    "No login is needed here: `rekey user` and `rekey session` are about users of `rekey serve`",
  "encrypt decrypt wrap unwrap":
    "rekey seals its own data only: `rekey backup --with-secret` for a passphrase or age",
  "certificate cert ca crypto ssh pki transit step openssl gpg":
    "rekey has keys of tokens only: `rekey init` creates one, also a key pair",
  "dump save snapshot": "`rekey backup` writes a copy",
  "load": "`rekey restore` brings a backup back, `rekey import` takes a secret over",
  "migrate move mv": "`rekey store move` moves the secret, `rekey import` takes one over",
  "passwd password passphrase": "`rekey user passwd` sets a user's password",
  "cron timer auto": "`rekey schedule` makes this machine rotate by itself",
  "hook hooks notify webhook":
    "They are flags: `rekey rotate --after`, `rekey rotate --notify-url`",
  "man manual usage docs topics": "`rekey help` has all pages",
};

/** Words with one meaning: the first that a group of commands has is what was meant. */
export const SAME: readonly string[] = [
  "list show ls get read view cat status info describe log all",
  "add create new register put",
  "remove revoke prune clear delete del rm drop destroy unset purge end kill logout reset clean",
  "rotate rotate-jwt-secret renew roll change update replace new",
  "move mv migrate set to",
  "set change update edit add",
  "passwd password reset-password set-password change-password",
  "sync run push apply update refresh deploy",
  "verify check test validate inspect",
  "follow tail watch stream",
  "export dump save print",
  "checkpoint sign head",
  "presets formats templates",
  "claims roles scopes set",
];

/**
 * What to write instead of a command that is not there.
 *
 * @param word as it was typed; it is never repeated.
 * @param group the command whose subcommand it should be, or the program.
 */
export function commandMeant(word: string, group: Command): string | undefined {
  if (group.parent === null) return adviceFor(COMMANDS_MEANT, word);
  const has = (name: string) => group.commands.some((one) => one.name() === name);
  for (const same of SAME.map((words) => words.split(" "))) {
    const name = same.includes(word) ? same.find(has) : undefined;
    if (name !== undefined) return `Write \`${lineOf(group)} ${name}\``;
  }
  return undefined;
}

/** What to write instead of arguments that a command does not take. */
export function argumentsMeant(command: Command, words: readonly string[]): string | undefined {
  if (words.includes("help")) return "Write --help";
  const isFlag = ({ long }: { long?: string | undefined }) => words.includes(long!.slice(2));
  const flag = optionsOf(command).find(isFlag)?.flags.replace(/^-\w, /, "");
  if (flag !== undefined) return `Write ${flag}`;
  return ARGUMENTS[lineOf(command)] ??
    (command.registeredArguments.length === 0 ? OF_ANY : undefined);
}

const ARGUMENTS: Readonly<Record<string, string>> = {
  "rekey import": "Name a file with --file <path>, or write the secret to stdin",
  "rekey serve": "Write the address as --listen <address>: --listen 127.0.0.1:8700",
  "rekey kek rotate": "Name a file of a KEK with --kek-file <path>",
  "rekey jwks": "Send stdout to a file: `rekey jwks > FILE`",
  "rekey audit export": "Send stdout to a file: `rekey audit export > FILE`",
};

const OF_ANY = "Flags begin with --, and --app <name> names an app";
