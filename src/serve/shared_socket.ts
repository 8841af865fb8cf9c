import { dirname, resolve } from "node:path";
import { RekeyError } from "../core/errors.ts";
import type { Address } from "./settings.ts";

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
