import { Buffer } from "node:buffer";
import { dirname, resolve } from "node:path";
import { RekeyError } from "../core/errors.ts";
import type { Address } from "./settings.ts";
import { LIBC } from "../system/unix/libc.ts";
import { sendDatagram } from "../system/linux/unix_sockets.ts";

// Where <grp.h> of 64-bit Linux and macOS has the number in a group's entry: behind two pointers.
const GID_OFFSET = 16;

/**
 * The number of a group of users, by its name or as a number, as chgrp(1) takes it; `undefined` when there is none of
 * that name. Names are looked up as the system does, in directories too.
 */
export function groupNumber(name: string): number | undefined {
  const found = lookUp(name);
  if (found !== undefined) return found;
  return /^\d{1,9}$/.test(name) ? Number(name) : undefined;
}

function lookUp(name: string): number | undefined {
  if (LIBC === undefined) return undefined;
  const libc = Deno.dlopen(LIBC, {
    getgrnam: { parameters: ["buffer"], result: "pointer" },
  });
  try {
    const entry = libc.symbols.getgrnam(Uint8Array.from(Buffer.from(`${name}\0`)));
    return entry === null ? undefined : new Deno.UnsafePointerView(entry).getUint32(GID_OFFSET);
  } finally {
    libc.close();
  }
}

/** What systemd asks of a service that it starts with `Type=notify` (sd_notify(3), sd_watchdog_enabled(3)). */
export interface Systemd {
  /** Says something, for example `READY=1`. */
  notify(state: string): void;
  /** How often the watchdog wants a sign of life, in milliseconds; `undefined` when it does not. */
  readonly watchdogMs: number | undefined;
}

/**
 * @param env the environment's variables. Without `NOTIFY_SOCKET` nobody listens, and nothing is said.
 * @param onFailure told when a state cannot be said: the server goes on.
 */
export function systemd(
  env: (name: string) => string | undefined,
  pid: number,
  onFailure: (why: string) => void,
): Systemd {
  const path = env("NOTIFY_SOCKET");
  if (path === undefined) return { notify: () => {}, watchdogMs: undefined };
  const forUs = [undefined, String(pid)].includes(env("WATCHDOG_PID"));
  const microseconds = Number(env("WATCHDOG_USEC"));
  return {
    // A server is not to end because nobody could be told of it, as when there are no more files.
    notify(state) {
      try {
        send(path, state);
      } catch (error) {
        onFailure(String(error));
      }
    },
    // Half of what it waits, as the manual advises.
    watchdogMs: forUs && microseconds > 0 ? microseconds / 2_000 : undefined,
  };
}

// A first `@` stands for the zero byte of an abstract name.
function send(socket: string, state: string): void {
  if (!sendDatagram(socket.replace(/^@/, "\0"), state)) throw new Error("nobody takes it");
}

/** Where a Unix socket is, and who may connect to it. */
export type SocketAddress = Extract<Address, { kind: "unix" }>;

/** The mode of a socket that only its own user may connect to. */
export const PRIVATE_MODE = 0o600;

const [GROUP_ENTERS, OTHERS_ENTER, OTHERS_WRITE] = [0o010, 0o001, 0o002];

/**
 * Makes sure that not every user can put another socket in the place of one that is shared with a group: that one
 * would let everybody in.
 *
 * @throws {RekeyError} `failed`.
 */
export function refuseOpenFolder({ path, mode }: SocketAddress): void {
  if (mode === PRIVATE_MODE) return;
  const folder = dirname(resolve(path));
  if (((infoOf(folder)?.mode ?? 0) & OTHERS_WRITE) === 0) return;
  throw new RekeyError("failed", `Cannot listen on ${path}: every user can write ${folder}`, {
    hint: "Name a folder that only rekey's user can write, such as a RuntimeDirectory= of systemd",
  });
}

/**
 * Gives a socket that was just made to its group, and only then lets it in: before, no other user could connect.
 *
 * @throws {RekeyError} `failed` when this user may not give it away.
 */
export function shareSocket({ path, mode, group }: SocketAddress): void {
  try {
    if (group !== undefined) Deno.chownSync(path, null, group);
  } catch (error) {
    throw new RekeyError("failed", `Cannot listen on ${path}: it cannot be given to the group`, {
      hint: "Only a member of the group may do that: add rekey's user to it (SupplementaryGroups=)",
      cause: error,
    });
  }
  Deno.chmodSync(path, mode);
}

/** What the operator should know of a shared socket: a folder on the way that its group cannot enter. */
export function socketWarnings({ path, mode, group }: SocketAddress): string[] {
  if (mode === PRIVATE_MODE || group === undefined) return [];
  for (let folder = dirname(resolve(path));; folder = dirname(folder)) {
    const { mode = null, gid } = infoOf(folder) ?? {};
    const enters = gid === group ? GROUP_ENTERS : OTHERS_ENTER;
    if (mode !== null && (mode & enters) === 0) {
      return [`the group of the socket cannot enter ${folder}: chgrp and chmod g+x that folder`];
    }
    if (folder === dirname(folder)) return [];
  }
}

function infoOf(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch {
    // Whether it is there is found out by listening.
    return undefined;
  }
}
