import { parse, resolve } from "node:path";
import process from "node:process";
import {
  type Access,
  type FileFacts,
  type HeldFolder,
  infoOf,
  type Privacy,
  type UnsafeFolder,
} from "../system.ts";
import { quotedWord } from "./basics.ts";
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
} from "node:fs";

const [OTHERS_WRITE, STICKY] = [0o002, 0o1000];

// As many as Linux follows.
const MOST_LINKS = 40;

/** The first folder or link on the way to something that someone else can exchange. */
function unsafeFolderOf(path: string): UnsafeFolder | undefined {
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

const { O_CREAT, O_DIRECTORY = 0, O_EXCL, O_NOFOLLOW = 0, O_RDONLY, O_WRONLY } = constants;
const [FILE_MODE, FOLDER_MODE] = [0o600, 0o700];
const [READ_BY_OTHERS, WRITE_BY_OTHERS, ANY_BY_OTHERS] = [0o044, 0o022, 0o077];

const FIXES = {
  file: "chmod 600",
  folder: "chmod 700",
  writing: "chmod go-w",
  reading: "sudo chmod o-r",
};

/** Owners and modes. */
export const unixPrivacy: Privacy = {
  access: (_path, facts) => accessOf(facts),

  makePrivate: (path) => chmodSync(path, ownMode(Deno.statSync(path))),

  takeWriting(path) {
    chmodSync(path, Deno.statSync(path).mode! & 0o777 & ~WRITE_BY_OTHERS);
  },

  createFile: (path) => openSync(path, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, FILE_MODE),

  makeFolder(path) {
    mkdirSync(path, { recursive: true, mode: FOLDER_MODE });
  },

  holdFolder(path): HeldFolder {
    // By a link too: who could exchange it was looked at. Deno 2.7 follows one whatever is asked for.
    const fd = openSync(path, O_RDONLY | O_DIRECTORY);
    return {
      access() {
        const { uid, mode } = fstatSync(fd);
        return accessOf({ uid, mode, isDirectory: true });
      },
      makePrivate: () => fchmodSync(fd, FOLDER_MODE),
      sync: () => fsyncSync(fd),
      [Symbol.dispose]: () => closeSync(fd),
    };
  },

  isReadOnly: () => false,

  unsafeFolderOf,

  fix: (path, what) => `${FIXES[what]} ${quotedWord(path)}`,

  fixOwner(path) {
    const me = process.geteuid!();
    return `${me === 0 ? "" : "sudo "}chown ${me} ${quotedWord(path)}`;
  },
};

const ownMode = ({ isDirectory }: FileFacts) => isDirectory ? FOLDER_MODE : FILE_MODE;

function accessOf(facts: FileFacts): Access {
  const { uid } = facts;
  const [me, mode, wanted] = [process.geteuid!(), facts.mode! & 0o777, ownMode(facts)];
  return {
    isMine: uid === me,
    mayFix: uid === me || me === 0,
    isSystems: uid === 0,
    owner: `uid ${uid}`,
    isPrivate: mode === wanted,
    isShut: (mode & wanted) !== wanted,
    isOpen: (mode & ANY_BY_OTHERS) !== 0,
    othersRead: (mode & READ_BY_OTHERS) !== 0 && !isForGroup(facts, me),
    othersWrite: (mode & WRITE_BY_OTHERS) !== 0,
    // The umask of whoever makes it says so.
    handsOn: false,
    shown: `mode ${mode.toString(8).padStart(4, "0")}`,
  };
}

// A group of the operator's own making, such as that of a service, is meant: then the file is the system's.
function isForGroup({ uid, mode }: FileFacts, me: number): boolean {
  return uid !== me && uid === 0 && (mode! & 0o004) === 0;
}
