import { parse, resolve } from "node:path";
import process from "node:process";
import { RekeyError } from "../core/errors.ts";
import { infoOf } from "./file_info.ts";

const [OTHERS_WRITE, STICKY] = [0o002, 0o1000];

// As many as Linux follows.
const MOST_LINKS = 40;

/**
 * Makes sure that no other user can exchange what a path leads to: every folder and symbolic link on the way, as
 * far as they are there, belongs to this user or the system, and nobody else may rename what is in them. Without
 * it a check of the file itself says little, since another one may be there a moment later.
 *
 * What is at the end, unless it is a link, is not looked at: that is the caller's.
 *
 * @throws {RekeyError} `database_unusable` when somebody else is in between.
 */
export function refuseUnsafeWay(path: string): void {
  const unsafe = unsafeOnWay(path);
  if (unsafe !== undefined) throw unsafeWay(path, unsafe);
}

/** A folder or link on the way to something, which someone else can exchange. */
export interface UnsafeWay {
  readonly folder: string;
  readonly uid: number;
  /** Whether every user can write to it; else it is another user's. */
  readonly isOpen: boolean;
}

/** The first one on the way; see {@linkcode refuseUnsafeWay}. */
export function unsafeOnWay(path: string): UnsafeWay | undefined {
  // Windows: the folder's access list is inherited from the profile.
  if (process.geteuid === undefined) return;
  const trusted = [process.geteuid(), systemUser()];
  let links = 0;
  const pending = namesOf(path);
  for (let at = parse(resolve(path)).root; pending.length > 0;) {
    const next = resolve(at, pending.shift()!);
    const found = infoOf(next);
    // What is made below it will be this user's.
    if (found === undefined || (pending.length === 0 && !found.isSymlink)) return;
    const here = { folder: next, uid: found.uid! };
    if (!trusted.includes(found.uid!)) return { ...here, isOpen: false };
    if (found.isSymlink && ++links <= MOST_LINKS) {
      const target = resolve(at, Deno.readLinkSync(next));
      pending.unshift(...namesOf(target));
      at = parse(target).root;
      continue;
    }
    const open = (found.mode! & OTHERS_WRITE) !== 0 && (found.mode! & STICKY) === 0;
    if (found.isDirectory && open) return { ...here, isOpen: true };
    at = next;
  }
}

// Root; but inside a user namespace root may be shown under another number.
function systemUser(): number {
  return infoOf("/")!.uid!;
}

function namesOf(path: string): string[] {
  const absolute = resolve(path);
  return absolute.slice(parse(absolute).root.length).split("/").filter((name) => name !== "");
}

/** What is said of it. */
export function unsafeWay(path: string, { folder, isOpen }: UnsafeWay): RekeyError {
  const why = isOpen ? "can be written by every user" : "belongs to another user";
  return new RekeyError("database_unusable", `Cannot use ${path}: ${folder} on the way ${why}`, {
    hint: "They could exchange what is there. Name a place of your own, or take that right away",
  });
}
