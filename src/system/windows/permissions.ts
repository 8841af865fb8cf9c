import { closeSync, constants, mkdirSync, openSync } from "node:fs";
import { win32 } from "node:path";
import { RekeyError } from "../../core/errors.ts";
import {
  type Access,
  type FilePermissions,
  findOnPath,
  type HeldFolder,
  infoOf,
  LINK_READER,
  type LinkReader,
  type UnsafeFolder,
} from "../files.ts";
import {
  accessOf,
  entriesOfOthers,
  isReplaceable,
  isTrusted,
  PRIVATE_FILE_ACCOUNTS,
} from "./access_lists.ts";
import { type SecurityApi, securityApi } from "./security_api.ts";

// As many as Windows follows.
const MAX_LINKS = 63;

/**
 * See {@linkcode FilePermissions.unsafeFolderOf}. The root of a drive or share is not checked: it cannot be renamed, and
 * other users may create folders there.
 *
 * @param fix the command that makes a folder private.
 */
export function unsafeFolderOf(
  path: string,
  api: SecurityApi,
  fix: (folder: string) => string,
  files: LinkReader<Pick<Deno.FileInfo, "isSymlink">> = LINK_READER,
): UnsafeFolder | undefined {
  const me = api.me();
  return findOnPath(path, win32, MAX_LINKS, files, (folder) => {
    const descriptor = api.descriptorOf(folder);
    if (!isTrusted(descriptor.owner, me)) {
      return { folder, isOpen: false, command: `icacls "${folder}"` };
    }
    if (!isReplaceable(descriptor, me)) return undefined;
    return { folder, isOpen: true, command: fix(folder) };
  });
}

const { O_CREAT, O_EXCL, O_WRONLY } = constants;

/** Permissions by access list. A private file gives all rights to its user, SYSTEM and Administrators, and no others. */
export class WindowsPermissions implements FilePermissions {
  constructor(private readonly api: SecurityApi = securityApi) {}

  access(path: string, { isDirectory }: { isDirectory: boolean }): Access {
    return accessOf(this.api.descriptorOf(path), isDirectory, this.api.me());
  }

  makePrivate(path: string): void {
    const { isDirectory } = Deno.statSync(path);
    this.api.protect(path, this.#accessList(isDirectory));
    if (!this.access(path, { isDirectory }).isOpen) return;
    throw new RekeyError(
      "database_unusable",
      `Cannot use ${path}: other users have rights to it that cannot be removed`,
      { hint: "Name a folder on NTFS: FAT disks have no access lists" },
    );
  }

  denyWriting(path: string): void {
    this.makePrivate(path);
  }

  makeFolder(path: string): void {
    if (infoOf(path) !== undefined) return;
    const parent = win32.dirname(path);
    if (parent === path) {
      // The runtime's error for it has no code.
      const message = `Cannot create a folder in ${path}: there is no such drive or share`;
      const hint = "Connect it, or name another folder";
      throw new RekeyError("database_unusable", message, { hint });
    }
    this.makeFolder(parent);
    // If that fails, the runtime's own call throws the cause.
    if (!this.api.makeFolder(path, this.#accessList(true))) mkdirSync(path, { recursive: true });
  }

  createFile(path: string): number {
    if (this.api.makeFile(path, this.#accessList(false))) return openSync(path, O_WRONLY);
    // Throws the cause.
    closeSync(openSync(path, O_CREAT | O_EXCL | O_WRONLY));
    this.makePrivate(path);
    return openSync(path, O_WRONLY);
  }

  holdFolder(path: string): HeldFolder {
    const info = infoOf(path);
    if (info?.isSymlink) throw coded("ELOOP", `${path} is a link`);
    if (info?.isDirectory === false) throw coded("ENOTDIR", `${path} is not a folder`);
    return {
      access: () => this.access(path, { isDirectory: true }),
      makePrivate: () => this.makePrivate(path),
      // NTFS journals names, and Windows has no call for it.
      sync() {},
      [Symbol.dispose]() {},
    };
  }

  unsafeFolderOf(path: string) {
    return unsafeFolderOf(path, this.api, (folder) => this.fix(folder, "folder"));
  }

  fix(path: string, what: "file" | "folder" | "writing" | "reading"): string {
    const me = this.api.me();
    const isDirectory = what === "folder" || what === "writing";
    const inherit = isDirectory ? "(OI)(CI)" : "";
    const own = [...new Set([me, ...PRIVATE_FILE_ACCOUNTS])].map((sid) => `"*${sid}:${inherit}F"`);
    const others = entriesOfOthers(this.api.descriptorOf(path), me).map(({ sid }) => `"*${sid}"`);
    const removed = others.length === 0 ? [] : ["/remove:g", ...new Set(others)];
    return [`icacls "${path}" /inheritance:r /grant:r`, ...own, ...removed].join(" ");
  }

  fixOwner(path: string): string {
    return `icacls "${path}" /setowner "*${this.api.me()}"`;
  }

  /** SDDL of a private file or folder: all rights, inherited by new files, and nothing inherited from its folder. */
  #accessList(isDirectory: boolean): string {
    const flags = isDirectory ? "OICI" : "";
    const sids = [...new Set([...PRIVATE_FILE_ACCOUNTS, this.api.me()])];
    return `D:P${sids.map((sid) => `(A;${flags};FA;;;${sid})`).join("")}`;
  }
}

function coded(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
