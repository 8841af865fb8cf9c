import { dirname, resolve } from "node:path";
import { RekeyError } from "../core/errors.ts";
import type { Address } from "./settings.ts";

/** Path of a Unix socket, and who may connect to it. */
export type SocketAddress = Extract<Address, { kind: "unix" }>;

/** Mode of a socket that only its owner may connect to. */
export const PRIVATE_MODE = 0o600;

const [GROUP_ENTERS, OTHERS_ENTER, OTHERS_WRITE] = [0o010, 0o001, 0o002];

/**
 * Refuses a folder that every user can write to: another user could replace a socket that is shared with a group by one
 * that anyone can connect to.
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
 * Gives a new socket to its group, then sets its mode. Until then no other user can connect.
 *
 * @throws {RekeyError} `failed` when this user may not change the group.
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

/** Warns of a parent directory that the group of a shared socket cannot enter. */
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
    // If it does not exist, listening fails with a better message.
    return undefined;
  }
}
