import type { PlatformPath } from "node:path";

/** Renaming, deleting and file locks. Errors of the system are thrown as they are, with their codes. */
export interface FileSystem {
  /** Whether a file that a program has open can be renamed and deleted. */
  readonly canMoveOpenFiles: boolean;
  /** Renames a file atomically, over an existing file if there is one. */
  rename(from: string, to: string): void;
  /** Deletes a file if it exists. */
  remove(path: string): void;
  /** Deletes a folder with its contents if it exists. */
  removeFolder(path: string): void;
  /** Whether a file is known to be on a read-only mount, where not even its owner can change it. */
  isReadOnly(path: string): boolean;
  /**
   * Whether another process holds a lock on a file. SQLite holds one while it has a database open in WAL mode.
   *
   * @returns `undefined` where the system does not tell, and for a file that cannot be looked at.
   */
  isLockedByOthers(path: string): boolean | undefined;
}

/** Looks at files that take so little time that a server can do them for each request. */
export interface QuickLooks {
  /** A look at whether a path leads to the file with this device and inode: see `fileIdentity`. */
  lookAt(path: string, identity: string): () => boolean;
  /**
   * The first bytes of a file that SQLite has mapped in this process. They change as the file does, whoever writes to it.
   *
   * @returns `undefined` if SQLite has not mapped the file.
   */
  mapped(path: string, bytes: number): MappedFile | undefined;
}

/** A part of a file in memory. */
export interface MappedFile {
  readonly numbers: Int32Array;
  /** Gives the memory back. Reading the numbers afterwards ends the process. */
  release(): void;
}

/** Reading pipes and open descriptors with a time-out, which the runtime's calls do not have. */
export interface Streams {
  isTerminal(descriptor: number): boolean;
  /**
   * Opens a file for reading, and closes it after `use`. Opening a pipe does not wait for its writer.
   *
   * @returns what `use` returns; `undefined` if the file cannot be opened.
   */
  withDescriptor<T>(path: string, use: (descriptor: number) => T): T | undefined;
  /** Reads the next chunk within `timeoutMs` milliseconds; an empty chunk is the end. */
  next(descriptor: number, timeoutMs: number): Uint8Array | "timeout" | "failed";
}

/** Size of the buffer for one read, in bytes: the default capacity of a pipe on Linux. */
export const CHUNK_BYTES = 65_536;

/**
 * `lstat`, or `undefined` if the path does not exist. The runtime's own call loads ten times faster than `node:fs`.
 */
export function infoOf(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch (error) {
    const { NotFound, NotADirectory } = Deno.errors;
    if (error instanceof NotFound || error instanceof NotADirectory) return undefined;
    throw error;
  }
}

/** Blocks this thread. */
export function sleepSync(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

/** The part of `stat` or `lstat` that permissions depend on. */
export type FileFacts = Pick<Deno.FileInfo, "uid" | "mode" | "isDirectory">;

/** Owner and rights of a file or folder. */
export interface Access {
  readonly isMine: boolean;
  /** Whether this user may change the permissions, as owner or as root. */
  readonly mayFix: boolean;
  /** Whether the system owns it: root, or SYSTEM and administrators on Windows. */
  readonly isSystemOwned: boolean;
  /** The owner, for messages: `uid 1000`. */
  readonly owner: string;
  /** Whether the permissions are those that {@linkcode FilePermissions.makePrivate} sets. */
  readonly isPrivate: boolean;
  /** Whether its owner lacks the rights to use it. */
  readonly deniesOwner: boolean;
  /** Whether other users have any rights. */
  readonly isOpen: boolean;
  readonly othersRead: boolean;
  readonly othersWrite: boolean;
  /** Whether new files in this folder inherit rights of other users. */
  readonly othersInherit: boolean;
  /** The permissions, for messages: `mode 0644`. */
  readonly shown: string;
}

/** A folder or link on a path that another user can replace. */
export interface UnsafeFolder {
  readonly folder: string;
  /** Whether other users can write to it; otherwise another user owns it. */
  readonly isOpen: boolean;
  /** The command for an operator that fixes it, or shows its permissions. */
  readonly command: string;
}

/** An open folder. Other users cannot replace it until it is disposed of. */
export interface HeldFolder extends Disposable {
  access(): Access;
  /** Removes all rights of other users. */
  makePrivate(): void;
  /** Writes the names in the folder to disk, where the system needs to be told. */
  sync(): void;
}

/** Permissions of files and folders: modes or access lists. Errors of the system are thrown as they are. */
export interface FilePermissions {
  access(path: string, facts: FileFacts): Access;
  /** Removes all rights of other users. Follows links. */
  makePrivate(path: string): void;
  /** Removes the rights of other users to change a file or folder. */
  denyWriting(path: string): void;
  /** Creates an empty private file. @returns its descriptor, open for writing. @throws if the file exists. */
  createFile(path: string): number;
  /** Creates a private folder and its parent directories, unless it exists. */
  makeFolder(path: string): void;
  /** Opens a folder. @throws if it is not a folder; on Windows also if it is a link. */
  holdFolder(path: string): HeldFolder;
  /** The first folder or link on a path that another user can replace. The last part is checked only if it is a link. */
  unsafeFolderOf(path: string): UnsafeFolder | undefined;
  /**
   * The command that makes the operator's file or folder private, removes write access of other users (`writing`), or
   * removes read access of other users to someone else's file (`reading`).
   */
  fix(path: string, what: "file" | "folder" | "writing" | "reading"): string;
  /** The command that makes the operator the owner. */
  fixOwner(path: string): string;
}

/** What {@linkcode findOnPath} reads of the file system. */
export interface LinkReader<Info> {
  /** `lstat`; `undefined` if the path does not exist. */
  infoOf(path: string): Info | undefined;
  readLink(path: string): string;
}

export const LINK_READER: LinkReader<Deno.FileInfo> = {
  infoOf,
  readLink: (path) => Deno.readLinkSync(path),
};

/**
 * Follows a path from its root, and the targets of links on it. The root is not checked; the last part only if it is a
 * link.
 *
 * @param maxLinks as many as the system follows.
 * @param check called with each existing folder and link.
 * @returns the first result of `check` that is not `undefined`.
 */
export function findOnPath<Info extends { readonly isSymlink: boolean }, T>(
  path: string,
  { parse, resolve, sep }: PlatformPath,
  maxLinks: number,
  files: LinkReader<Info>,
  check: (path: string, info: Info) => T | undefined,
): T | undefined {
  const partsOf = (absolute: string) =>
    absolute.slice(parse(absolute).root.length).split(sep).filter((name) => name !== "");
  const start = resolve(path);
  const pending = partsOf(start);
  let links = 0;
  for (let at = parse(start).root; pending.length > 0;) {
    // `resolve` would look at each character again.
    const next = `${at.endsWith(sep) ? at : `${at}${sep}`}${pending.shift()!}`;
    const info = files.infoOf(next);
    // This user will create what does not exist yet.
    if (info === undefined || (pending.length === 0 && !info.isSymlink)) return undefined;
    const result = check(next, info);
    if (result !== undefined) return result;
    if (info.isSymlink && ++links <= maxLinks) {
      const target = resolve(at, files.readLink(next));
      pending.unshift(...partsOf(target));
      at = parse(target).root;
    } else {
      at = next;
    }
  }
  return undefined;
}

/** Files that are in memory only. */
export interface Memory {
  /** Folders that may be in memory, beside the one that XDG_RUNTIME_DIR names. */
  readonly places: readonly string[];
  /** Whether the files of a folder are in memory. */
  holds(folder: string): boolean;
  /** Writes a new file that only its owner may read (0600). @throws {Error} if it exists or cannot be written. */
  writeNew(path: string, bytes: Uint8Array<ArrayBuffer>): void;
}
