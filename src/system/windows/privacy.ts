import { win32 } from "node:path";
import {
  type Access,
  type HeldFolder,
  infoOf,
  type Privacy,
  type UnsafeFolder,
} from "../system.ts";
import { type SecurityApi, securityApi } from "./security_api.ts";
import { isExchangeable, isTrusted, judged, KEEPERS, others } from "./access_lists.ts";
import { closeSync, constants, mkdirSync, openSync } from "node:fs";
import { RekeyError } from "../../core/errors.ts";

// As many as Windows follows.
const MOST_LINKS = 63;

/** What {@linkcode unsafeFolderOf} asks of the file system. */
interface PathFiles {
  infoOf(path: string): Pick<Deno.FileInfo, "isSymlink"> | undefined;
  readLink(path: string): string;
}

const FILES: PathFiles = { infoOf, readLink: (path) => Deno.readLinkSync(path) };

/**
 * The first folder or link on the way to something that someone else can exchange. The root of a drive or share is not
 * looked at: it cannot be renamed, and others may make folders there.
 *
 * @param fix the command that makes a folder private.
 */
export function unsafeFolderOf(
  path: string,
  api: SecurityApi,
  fix: (folder: string) => string,
  files = FILES,
): UnsafeFolder | undefined {
  const me = api.me();
  let links = 0;
  const pending = namesOf(path);
  for (let at = win32.parse(win32.resolve(path)).root; pending.length > 0;) {
    const next = win32.join(at, pending.shift()!);
    const found = files.infoOf(next);
    // What is made below it will be this user's.
    if (found === undefined || (pending.length === 0 && !found.isSymlink)) return;
    const descriptor = api.descriptorOf(next);
    const command = `icacls "${next}"`;
    if (!isTrusted(descriptor.owner, me)) return { folder: next, isOpen: false, command };
    if (isExchangeable(descriptor, me)) return { folder: next, isOpen: true, command: fix(next) };
    if (found.isSymlink && ++links <= MOST_LINKS) {
      const target = win32.resolve(at, files.readLink(next));
      pending.unshift(...namesOf(target));
      at = win32.parse(target).root;
      continue;
    }
    at = next;
  }
}

function namesOf(path: string): string[] {
  const absolute = win32.resolve(path);
  const { root } = win32.parse(absolute);
  return absolute.slice(root.length).split("\\").filter((name) => name !== "");
}

const { O_CREAT, O_EXCL, O_WRONLY } = constants;

/** Access lists: all rights for the user, SYSTEM and Administrators, and for no one else. */
export class WindowsPrivacy implements Privacy {
  constructor(private readonly api: SecurityApi = securityApi) {}

  access(path: string, { isDirectory }: { isDirectory: boolean }): Access {
    return judged(this.api.descriptorOf(path), isDirectory, this.api.me());
  }

  makePrivate(path: string): void {
    const { isDirectory } = Deno.statSync(path);
    this.api.protect(path, this.#list(isDirectory));
    if (this.access(path, { isDirectory }).isOpen) throw stillOpen(path);
  }

  /** There is one way of taking rights away. */
  takeWriting(path: string): void {
    this.makePrivate(path);
  }

  makeFolder(path: string): void {
    if (infoOf(path) !== undefined) return;
    const parent = win32.dirname(path);
    if (parent === path) throw noDrive(path);
    this.makeFolder(parent);
    // With the list from its first moment; the runtime's own call says what is wrong if that cannot be done.
    if (!this.api.makeFolder(path, this.#list(true))) mkdirSync(path, { recursive: true });
  }

  createFile(path: string): number {
    if (this.api.makeFile(path, this.#list(false))) return openSync(path, O_WRONLY);
    // Says what is wrong.
    closeSync(openSync(path, O_CREAT | O_EXCL | O_WRONLY));
    this.makePrivate(path);
    return openSync(path, O_WRONLY);
  }

  holdFolder(path: string): HeldFolder {
    const info = infoOf(path);
    if (info?.isSymlink) throw coded("ELOOP", `${path} is a link`);
    if (info?.isDirectory === false) throw coded("ENOTDIR", `${path} is no folder`);
    return {
      access: () => this.access(path, { isDirectory: true }),
      makePrivate: () => this.makePrivate(path),
      // NTFS writes names to its journal by itself, and there is no call for it.
      sync() {},
      [Symbol.dispose]() {},
    };
  }

  isReadOnly(): boolean {
    return false;
  }

  unsafeFolderOf(path: string) {
    return unsafeFolderOf(path, this.api, (folder) => this.fix(folder, "folder"));
  }

  fix(path: string, what: "file" | "folder" | "writing" | "reading"): string {
    const me = this.api.me();
    const isDirectory = what === "folder" || what === "writing";
    const inherit = isDirectory ? "(OI)(CI)" : "";
    const own = [...new Set([me, ...KEEPERS])].map((sid) => `"*${sid}:${inherit}F"`);
    const strangers = others(this.api.descriptorOf(path), me).map(({ sid }) => `"*${sid}"`);
    const removed = strangers.length === 0 ? [] : ["/remove:g", ...new Set(strangers)];
    return [`icacls "${path}" /inheritance:r /grant:r`, ...own, ...removed].join(" ");
  }

  fixOwner(path: string): string {
    return `icacls "${path}" /setowner "*${this.api.me()}"`;
  }

  /** In Windows' notation: nothing from the folder above, all rights, for all that a folder will hold. */
  #list(isDirectory: boolean): string {
    const flags = isDirectory ? "OICI" : "";
    const keepers = [...new Set([...KEEPERS, this.api.me()])];
    return `D:P${keepers.map((sid) => `(A;${flags};FA;;;${sid})`).join("")}`;
  }
}

function stillOpen(path: string): RekeyError {
  return new RekeyError(
    "database_unusable",
    `Cannot use ${path}: others have rights to it that cannot be taken away`,
    { hint: "Its disk may have no access lists, as FAT has none: name a folder on NTFS" },
  );
}

// For the root of one the runtime's call has an error without a code.
function noDrive(root: string): RekeyError {
  const message = `Cannot make a folder in ${root}: there is no such drive or share`;
  const hint = "Connect it, or name another folder";
  return new RekeyError("database_unusable", message, { hint });
}

function coded(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
