import { Buffer } from "node:buffer";
import { constants, userInfo } from "node:os";
import { dirname, join } from "node:path";
import { printable } from "../../core/encoding.ts";
import {
  type Identities,
  type Invocation,
  kill,
  type ProcessControl,
  type Programs,
  type SignalHandler,
} from "../processes.ts";
import type { Advice } from "../system.ts";
import {
  dieOf,
  type FileLimit,
  ignore,
  ignoredOf,
  isInForeground,
  lackOfFiles,
  mayExecute,
  replaceProcess,
} from "./libc.ts";

/**
 * Quotes a word for a POSIX shell. What {@linkcode printable} would escape is written by the shell's `printf`, so that what
 * is shown can be pasted; but for a line end at the end, which a shell drops there.
 */
export function quotedWord(text: string): string {
  if (/^[\w@%+=:,./~-]+$/.test(text)) return text;
  return printable(text) === text || text.endsWith("\n")
    ? `'${text.replaceAll("'", `'\\''`)}'`
    : `"$(printf '${text.replace(/^-|[^ -$&(-[\]-~]/gu, inOctal)}')"`;
}

const inOctal = (text: string) =>
  Buffer.from(text).reduce((all, byte) => `${all}\\${byte.toString(8).padStart(3, "0")}`, "");

function shell(commandLine: string): Invocation {
  return { program: "/bin/sh", args: ["-c", commandLine] };
}

// Processes that the command leaves running write to stderr too.
function shellToStderr(commandLine: string): Invocation {
  return shell(`exec >&2\n${commandLine}`);
}

/** Commands for POSIX shells. */
export const unixAdvice: Advice = {
  makeKey: "head -c 32 /dev/urandom | base64 > FILE",
  convert: "iconv converts it",
  show: (path) => `ls -ld ${quotedWord(dirname(path))} ${quotedWord(path)}`,
  largest: (folder) => `du -xah ${quotedWord(mountPoint(folder))} | sort -h | tail`,
};

function mountPoint(path: string): string {
  const real = Deno.realPathSync(path);
  const { dev } = Deno.statSync(real);
  const parents = real.split("/").map((_, i, all) => all.slice(0, i + 1).join("/") || "/");
  return parents.find((parent) => Deno.statSync(parent).dev === dev) ?? real;
}

// Deno starts to handle these when a program listens for any signal.
const HANDLED_BY_DENO = ["SIGHUP", "SIGINT", "SIGTERM"] as const;

// Restore the handlers of signals that were ignored at the start.
const restorers = new Map<Deno.Signal, () => void>();

// A file that exceeds `ulimit -f` must be an error message, not a signal that kills rekey while it writes. Signals that
// were ignored at the start, as by nohup, stay ignored.
function setUpSignals(): void {
  const ignored = ignoredOf(HANDLED_BY_DENO);
  Deno.addSignalListener("SIGXFSZ", () => {});
  for (const signal of ignored) restorers.set(signal, ignore(constants.signals[signal]));
}

function listen(signal: Deno.Signal, take: () => void): void {
  Deno.addSignalListener(signal, take);
  // Deno installed its handler before, and does not install it again.
  restorers.get(signal)?.();
}

// Not the signals that stop a process (TSTP, TTIN, TTOU): the terminal sends them to both.
const PASSED_ON = [
  "SIGINT",
  "SIGTERM",
  "SIGHUP",
  "SIGQUIT",
  "SIGUSR1",
  "SIGUSR2",
  "SIGWINCH",
  "SIGCONT",
] as const satisfies readonly Deno.Signal[];

// A terminal sends these to all processes in its foreground.
const FROM_TERMINAL: readonly Deno.Signal[] = ["SIGINT", "SIGQUIT", "SIGWINCH", "SIGCONT"];

function onSignals(take: SignalHandler): void {
  const ignored = ignoredOf(PASSED_ON);
  for (const signal of PASSED_ON.filter((name) => !ignored.includes(name))) {
    Deno.addSignalListener(signal, () => {
      take(signal, FROM_TERMINAL.includes(signal) && isInForeground());
    });
  }
}

export function unixProcesses(identities: Identities, limit: FileLimit): ProcessControl {
  return {
    setUpSignals,
    listen,
    shell,
    shellToStderr,
    quoted: quotedWord,
    stopSignals: ["SIGINT", "SIGTERM", "SIGHUP"],
    reloadSignal: "SIGHUP",
    hasGroups: true,
    killTree: (child, group) => Promise.resolve(group ? killGroup(child) : kill(child, "SIGKILL")),
    identities,
    lackOfFiles: (wanted) => lackOfFiles(wanted, limit),
    account,
  };
}

// A negative number is a group: kill(2). The group may have ended meanwhile.
function killGroup({ pid }: Deno.ChildProcess): void {
  try {
    Deno.kill(-pid, "SIGKILL");
  } catch (error) {
    const { NotFound, PermissionDenied } = Deno.errors;
    if (!(error instanceof NotFound || error instanceof PermissionDenied)) throw error;
  }
}

function account(): string {
  try {
    return userInfo().username;
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    // A user id without a name, as in containers.
    return `uid ${Deno.uid()}`;
  }
}

export const unixPrograms: Programs = {
  // The default of shells.
  defaultPath: "/usr/bin:/bin",
  candidates,
  // Without a C library, starting the file tells.
  isExecutable: (path) => mayExecute(path) ?? true,
  needs: "A file needs the permission to be executed, and a script an interpreter that exists (#!)",
  replaceProcess,
  sendable: PASSED_ON,
  // The program ends the processes that it started.
  group: (child) => ({
    terminate() {
      kill(child, "SIGTERM");
      return true;
    },
    kill() {},
  }),
  onSignals,
  dieOf,
};

function candidates(name: string, folders: string): string[] {
  if (name === "" || name.includes("/")) return [name];
  // An empty entry of PATH is the working directory.
  return folders.split(":").map((folder) => join(folder || ".", name));
}
