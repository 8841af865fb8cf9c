import { parse, resolve } from "node:path";
import process from "node:process";
import { infoOf } from "../file_info.ts";
import type { UnsafeFolder } from "../privacy.ts";
import { quotedWord } from "./shell.ts";

const [OTHERS_WRITE, STICKY] = [0o002, 0o1000];

// As many as Linux follows.
const MOST_LINKS = 40;

/** The first folder or link on the way to something that someone else can exchange. */
export function unsafeFolderOf(path: string): UnsafeFolder | undefined {
  const trusted = [process.geteuid!(), systemUser()];
  let links = 0;
  const pending = namesOf(path);
  for (let at = parse(resolve(path)).root; pending.length > 0;) {
    const next = resolve(at, pending.shift()!);
    const found = infoOf(next);
    // What is made below it will be this user's.
    if (found === undefined || (pending.length === 0 && !found.isSymlink)) return;
    if (!trusted.includes(found.uid!)) return unsafe(next, found, false);
    if (found.isSymlink && ++links <= MOST_LINKS) {
      const target = resolve(at, Deno.readLinkSync(next));
      pending.unshift(...namesOf(target));
      at = parse(target).root;
      continue;
    }
    const open = (found.mode! & OTHERS_WRITE) !== 0 && (found.mode! & STICKY) === 0;
    if (found.isDirectory && open) return unsafe(next, found, true);
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

function unsafe(folder: string, info: Deno.FileInfo, isOpen: boolean): UnsafeFolder {
  const me = process.geteuid!();
  const mine = info.uid === me || me === 0;
  const command = isOpen && mine
    ? `chmod o-w ${quotedWord(folder)}`
    : `ls -ld ${quotedWord(folder)}`;
  return { folder, isOpen, command };
}
