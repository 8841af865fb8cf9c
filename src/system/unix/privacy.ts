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
import process from "node:process";
import type { Access, FileFacts, HeldFolder, Privacy } from "../privacy.ts";
import { quotedWord } from "./shell.ts";
import { unsafeFolderOf } from "./path_ownership.ts";

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
