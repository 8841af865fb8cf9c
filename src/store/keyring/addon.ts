import { fileURLToPath } from "node:url";
import { embedded } from "../../core/app.ts";
import { appendedFile } from "../../boot/appended.ts";
import { type ErrorCode, isRekeyError, RekeyError } from "../../core/errors.ts";
import { makePrivateFolder, writeNewPrivateFile } from "../../files/private_files.ts";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { brotliDecompressSync } from "node:zlib";
import type { AsyncEntry } from "@napi-rs/keyring";
import { entriesOnThread } from "./addon_thread.ts";
import { addonHint } from "./errors.ts";
import { refuseUnsafeBus } from "./secret_service/safe_bus.ts";
import type { BusPlaces } from "./secret_service/session_bus.ts";
import { SYSTEM } from "../../system/system.ts";
import { namesIn, readFileIfThere, removeFile, timeOf } from "../../files/files.ts";

// What the build embeds, or appends to the executable.
const EMBEDDED = "keyring.node.br";

/**
 * The compressed keyring addon. On Linux it is appended to the executable, since the runtime reads embedded files at
 * each start; elsewhere it is embedded.
 *
 * @throws {RekeyError} `keyring_failed` when the executable was deleted or replaced after the start.
 */
function packedAddon(): Uint8Array {
  try {
    const packed = readFileIfThere(fileURLToPath(embedded(EMBEDDED))) ?? appendedFile(EMBEDDED);
    if (packed !== undefined) return packed;
  } catch (cause) {
    throw exchanged(cause);
  }
  throw exchanged();
}

/** The error for an executable that was deleted or replaced. */
function exchanged(cause?: unknown): RekeyError {
  return new RekeyError(
    "keyring_failed",
    "Cannot unpack the keyring addon: it is not in the executable as it was built",
    { hint: "If the executable was replaced meanwhile, run the command again", cause },
  );
}

/** The part of `@napi-rs/keyring` that rekey uses. */
export interface KeyringAddon {
  AsyncEntry: typeof AsyncEntry;
  /** Waits until calls can be made. The start does not count towards the timeout of a call. */
  readonly ready?: () => Promise<void>;
}

// What the build embeds: the SHA-256 of the addon in hex.
const SHA256 = "keyring.node.sha256";

/** What the addon needs from the environment. */
export interface AddonContext {
  /** Folder that it is unpacked into. */
  readonly cacheFolder: string | undefined;
  /** The session bus, by which it finds the keyring on Linux. */
  readonly bus: BusPlaces;
}

/** Loads the keyring addon. @throws {RekeyError} as {@linkcode unpackedAddon} does. */
export function loadKeyringAddon(around: AddonContext): KeyringAddon {
  mustHaveFiles();
  const path = unpackedAddon(around);
  SYSTEM.prepareAddon();
  return { AsyncEntry: entriesOnThread(path, (cause) => unloadable(path, cause)) };
}

// A command that changes the secret has twenty open by then, and the addon's thread eight. The runtime would end without a
// message of its own when that cannot be started.
const LEAST_FILES = 32;

function mustHaveFiles(): void {
  const lack = SYSTEM.processes.lackOfFiles(LEAST_FILES);
  if (lack === undefined) return;
  throw new RekeyError("keyring_failed", `Cannot use the keyring: ${lack.why}`, {
    hint: `Raise that (\`ulimit -n ${64 + lack.inherited}\`) and run the command again`,
  });
}

/** The error for an addon that the system refuses to load. */
export function unloadable(path: string, cause: unknown): RekeyError {
  return new RekeyError("keyring_failed", "Cannot use the keyring: its addon cannot be loaded", {
    hint: addonHint(SYSTEM.os, path),
    cause,
  });
}

/**
 * Path of the unpacked keyring addon, which the system can only load from a file. Another user could place a file in a
 * shared folder, so it goes into a private folder (0700), named by its SHA-256, and is compared before every load.
 *
 * @throws {RekeyError} `keyring_absent` when this build has no addon, `keyring_failed` when it cannot be unpacked, or
 * the session bus belongs to another user.
 */
export function unpackedAddon({ cacheFolder: folder, bus }: AddonContext): string {
  const sha256 = embeddedHash();
  refuseUnsafeBus(bus);
  if (folder === undefined) throw noPlace("there is no home folder");
  const path = join(folder, `keyring-${sha256}.node`);
  try {
    makePrivateFolder(folder);
    if (!holds(path, sha256)) unpack(folder, path, sha256);
  } catch (error) {
    // Not "absent": the keyring was not asked, and may hold a secret.
    if (isRekeyError(error, "database_unusable")) throw noPlace(error.message, "keyring_failed");
    throw error;
  }
  return path;
}

function noPlace(why: string, code: ErrorCode = "keyring_absent"): RekeyError {
  return new RekeyError(code, `Cannot unpack the keyring addon: ${why}`, {
    hint: "Name a folder that this user can write with XDG_CACHE_HOME, or use --store database",
  });
}

function embeddedHash(): string {
  try {
    return readFileSync(embedded(SHA256), "utf8").trim();
  } catch (cause) {
    throw new RekeyError(
      "keyring_absent",
      "Cannot use the keyring: this build has no addon for it",
      { hint: "Use a binary made by the build script, or --store database", cause },
    );
  }
}

function holds(path: string, sha256: string): boolean {
  const content = readFileIfThere(path);
  return content !== undefined && hashOf(content) === sha256;
}

// Written under a temporary name and renamed, since two processes may unpack at once.
function unpack(folder: string, path: string, sha256: string): void {
  const content = unpacked(packedAddon());
  if (hashOf(content) !== sha256) throw exchanged();
  removeUnfinished(folder);
  const partial = join(folder, `${PARTIAL}${crypto.randomUUID()}`);
  try {
    writeNewPrivateFile(partial, content);
    SYSTEM.files.rename(partial, path);
  } catch (error) {
    removeFile(partial);
    throw error;
  }
}

function unpacked(packed: Uint8Array): Uint8Array {
  try {
    return brotliDecompressSync(packed);
  } catch (cause) {
    throw exchanged(cause);
  }
}

const PARTIAL = ".keyring-";
const STALE_MS = 60_000;

// Removes the files of processes that were killed while unpacking, which takes less than a minute.
function removeUnfinished(folder: string): void {
  for (const name of namesIn(folder).filter((name) => name.startsWith(PARTIAL))) {
    const path = join(folder, name);
    if (Math.abs(Date.now() - timeOf(path)) > STALE_MS) removeFile(path);
  }
}

function hashOf(content: Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}
