import { type Command, InvalidArgumentError, Option } from "commander";
import { type Commands, repeatable } from "./command.ts";
import type { ExecFlags } from "../exec/wanted.ts";
import { duration } from "./values.ts";
import { SYSTEM } from "../../system/system.ts";

/** `exec`. */
export const execCommands: Commands = {
  exec: (program) => {
    const command = program.command("exec");
    command
      .description(
        "run a program with the secret in its environment; the program follows --",
      )
      .usage("[options] -- PROGRAM [ARGUMENT...]")
      .argument("[program...]")
      .addOption(
        repeatable("--env <name>", "variable for the secret", variableName)
          .default(["JWT_SECRET"], "JWT_SECRET"),
      )
      .option(
        "--env-previous <name>",
        "variable for the previous secret inside its grace window (default: JWT_SECRET_PREVIOUS)",
        variableName,
      )
      .option("--no-env-previous", "no variable for the previous secret")
      .option(
        "--keys-file",
        "a private file of keys, kept up to date; its path is in REKEY_KEYS_FILE",
      )
      .option("--keys-dir <path>", "the same, in this folder (default: in memory)")
      .addOption(
        new Option(
          "--on-rotate <what>",
          "after a rotation: restart the program, or send it a signal (signal:HUP)",
        ).argParser(reaction),
      )
      .option(
        "--grace-stop <duration>",
        "with restart: time it has to end (default: 10s)",
        duration,
      )
      .addHelpText(
        "after",
        `
  Without --on-rotate and --keys-file rekey becomes the program; with either it
  stays as its parent.

  Examples:
    rekey exec -- node server.js
    rekey exec --env SIGNING_KEY --on-rotate restart -- python3 -m service
    rekey exec --keys-file --on-rotate signal:HUP -- node server.js`,
      )
      .runs(async () => {
        const { exec } = await import("../commands/exec.ts");
        return (options: Omit<ExecFlags, "line">, context) =>
          exec(
            { ...options, line: { all: rootOf(command).rawArgs, words: command.args } },
            context,
          );
      });
  },
};

function variableName(text: string): string {
  // Variables with another meaning: a secret in REKEY_KID would become part of every token's header. Names are compared
  // without case because of Windows.
  const isTaken = /^(REKEY_|LD_|DYLD_)|^(PATH|PATHEXT|COMSPEC|SYSTEMROOT|HOME|USERPROFILE)$/i
    .test(text);
  if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(text) && !isTaken) return text;
  throw new InvalidArgumentError(
    "Write letters, digits and underscores, no digit first; not PATH, HOME, REKEY_…, LD_…",
  );
}

function reaction(text: string) {
  const [, name] = /^signal:(?:SIG)?([A-Z0-9]+)$/.exec(text) ?? [];
  const signals = SYSTEM.programs.sendable.map((signal) => signal.slice("SIG".length));
  if (text === "restart") return text;
  if (name !== undefined && signals.includes(name)) return { signal: `SIG${name}` };
  throw new InvalidArgumentError(
    signals.length === 0
      ? "Write restart: this system has no signals for programs."
      : `Write restart, or signal: and one of ${signals.join(", ")}.`,
  );
}

function rootOf(command: Command): Command & { rawArgs: string[] } {
  return (command.parent === null ? command : rootOf(command.parent)) as Command & {
    rawArgs: string[];
  };
}
