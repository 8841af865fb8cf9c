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
import { posix } from "node:path";
import process from "node:process";
import {
  type Access,
  type FileFacts,
  type FilePermissions,
  findOnPath,
  type HeldFolder,
  infoOf,
  LINK_READER,
  type UnsafeFolder,
} from "../files.ts";
import { quotedWord } from "./processes.ts";

const { O_CREAT, O_DIRECTORY = 0, O_EXCL, O_NOFOLLOW = 0, O_RDONLY, O_WRONLY } = constants;
const [FILE_MODE, FOLDER_MODE] = [0o600, 0o700];
const [READ_BY_OTHERS, WRITE_BY_OTHERS, ANY_BY_OTHERS] = [0o044, 0o022, 0o077];

const FIXES = {
  file: "chmod 600",
  folder: "chmod 700",
  writing: "chmod go-w",
  reading: "sudo chmod o-r",
};

/** Permissions by owner and mode. */
export const unixPermissions: FilePermissions = {
  access: (_path, facts) => accessOf(facts),

  makePrivate: (path) => chmodSync(path, ownMode(Deno.statSync(path))),

  denyWriting(path) {
    chmodSync(path, Deno.statSync(path).mode! & 0o777 & ~WRITE_BY_OTHERS);
  },

  createFile: (path) => openSync(path, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, FILE_MODE),

  makeFolder(path) {
    mkdirSync(path, { recursive: true, mode: FOLDER_MODE });
  },

  holdFolder(path): HeldFolder {
    // Links are followed: Deno 2.7 ignores O_NOFOLLOW here. `unsafeFolderOf` has checked who can replace them.
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

  unsafeFolderOf,

  fix: (path, what) => `${FIXES[what]} ${quotedWord(path)}`,

  fixOwner(path) {
    const me = process.geteuid!();
    return `${me === 0 ? "" : "sudo "}chown ${me} ${quotedWord(path)}`;
  },
};

const [OTHERS_WRITE, STICKY] = [0o002, 0o1000];

// As many as Linux follows.
const MAX_LINKS = 40;

function unsafeFolderOf(path: string): UnsafeFolder | undefined {
  const me = process.geteuid!();
  // Root; inside a user namespace root may have another number.
  const trusted = [me, infoOf("/")!.uid!];
  return findOnPath(path, posix, MAX_LINKS, LINK_READER, (folder, { uid, mode, isDirectory }) => {
    const isMine = uid === me || me === 0;
    const name = quotedWord(folder);
    const show = `ls -ld ${name}`;
    if (!trusted.includes(uid!)) return { folder, isOpen: false, command: show };
    const isOpen = isDirectory && (mode! & OTHERS_WRITE) !== 0 && (mode! & STICKY) === 0;
    if (!isOpen) return undefined;
    return { folder, isOpen, command: isMine ? `chmod o-w ${name}` : show };
  });
}

const ownMode = ({ isDirectory }: FileFacts) => isDirectory ? FOLDER_MODE : FILE_MODE;

function accessOf(facts: FileFacts): Access {
  const { uid } = facts;
  const [me, mode, wanted] = [process.geteuid!(), facts.mode! & 0o777, ownMode(facts)];
  return {
    isMine: uid === me,
    mayFix: uid === me || me === 0,
    isSystemOwned: uid === 0,
    owner: `uid ${uid}`,
    isPrivate: mode === wanted,
    deniesOwner: (mode & wanted) !== wanted,
    isOpen: (mode & ANY_BY_OTHERS) !== 0,
    othersRead: (mode & READ_BY_OTHERS) !== 0 && !isForGroup(facts, me),
    othersWrite: (mode & WRITE_BY_OTHERS) !== 0,
    // The umask decides the mode of new files.
    othersInherit: false,
    shown: `mode ${mode.toString(8).padStart(4, "0")}`,
  };
}

// A file of root that only a group can read is meant for that group, such as a service's.
function isForGroup({ uid, mode }: FileFacts, me: number): boolean {
  return uid !== me && uid === 0 && (mode! & 0o004) === 0;
}
