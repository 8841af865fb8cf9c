import { win32 } from "node:path";
import { infoOf } from "../file_info.ts";
import type { UnsafeFolder } from "../privacy.ts";
import type { SecurityApi } from "./api.ts";
import { isExchangeable, isTrusted } from "./judgement.ts";

// As many as Windows follows.
const MOST_LINKS = 63;

/** What {@linkcode unsafeFolderOf} asks of the file system. */
export interface PathFiles {
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
