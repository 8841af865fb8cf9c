/** Ways of making a machine rotate by itself. */
type ScheduleKind = "systemd" | "cron" | "launchd" | "windows";

/** Commands for people, which rekey does not run. */
export interface Advice {
  /** Writes 32 random bytes as base64 to a file named FILE. */
  readonly makeKey: string;
  /** Gives a text file another encoding. */
  readonly convert: string;
  /** Shows whose a file is, and who may use it. */
  show(path: string): string;
  /** Shows what takes up room on the disk of a folder. */
  largest(folder: string): string;
}

/** What differs from one operating system to another. There is one file for each, chosen once: see `here.ts`. */
export interface System {
  readonly os: "linux" | "darwin" | "windows";
  /** Where files belong, and how their paths are written. */
  readonly paths: Paths;
  /** Whose files and folders are, and who else may use them. */
  readonly privacy: Privacy;
  /** Renaming and deleting. */
  readonly moves: Moves;
  /** Reading pipes and descriptors. */
  readonly streams: Streams;
  /** The C library that the runtime is linked to, for foreign calls; `undefined` where there is none of that kind. */
  readonly libc: string | undefined;
  /** How people are told to do things by hand. */
  readonly advice: Advice;
  /** Shells, signals, and which processes run. */
  readonly processes: ProcessControl;
  /** How `exec` finds, starts and ends a program. */
  readonly programs: Programs;
  /** What a server can do. */
  readonly serving: Serving;
  /** The scheduler that is used unless another is asked for. */
  readonly schedule: ScheduleKind;
  /** Whether its keyring is a Secret Service: a program on the session bus. */
  readonly hasSecretService: boolean;
  /** To be called before the keyring's addon is loaded: the libraries that it needs are to be the system's own. */
  prepareAddon(): void;
}

/** Renaming and deleting files. What the system refuses is thrown as its own error, with its code. */
export interface Moves {
  /** Whether a file that a program has open can be renamed and deleted. */
  readonly takesOpenFiles: boolean;
  /** Renames a file in one step; it replaces one that has the new name. */
  rename(from: string, to: string): void;
  /** Deletes a file, if it is there. */
  remove(path: string): void;
  /** Deletes a folder with everything in it, if it is there. */
  removeFolder(path: string): void;
}

/** Folders that a user's programs keep things in; `undefined` where there is no home folder. */
export interface BaseFolders {
  /** Each app's data has a folder of its own name in it. */
  readonly data: string | undefined;
  /** Key files that rekey makes. In no app's data folder, whatever its name is. */
  readonly config: string | undefined;
  /** What can be made again. */
  readonly cache: string | undefined;
}

/** What is known of the user's environment. */
export interface UserEnvironment {
  /** The home folder, by a whole path. */
  readonly home: string | undefined;
  /** A variable of the environment; `undefined` for one that is empty. */
  env(name: string): string | undefined;
}

/** How a system's paths are written, and where things belong. */
export interface Paths {
  /**
   * The folders that are used when none is named.
   *
   * @throws {RekeyError} `usage` when a variable that names one of them can hardly be what was meant.
   */
  baseFolders(around: UserEnvironment): BaseFolders;
  /** The folder for what belongs to no person, where the system has a usual one. */
  readonly sharedFolder: string | undefined;
  /** Whether a path leads to the same place from every folder and drive. */
  isWhole(path: string): boolean;
  join(...parts: string[]): string;
  /** What stands between the folders of PATH. */
  readonly delimiter: string;
  /** How a whole path begins, for hints: `/`. */
  readonly root: string;
  /** Why a text can hardly be a path that was meant here, beyond what is so everywhere. */
  faultOf(text: string): string | undefined;
  /** Why no file can have this plain name. */
  faultOfName(name: string): string | undefined;
}

/** What the file system says of a file or folder; of a link, what it leads to or the link itself, as the caller asked. */
export type FileFacts = Pick<Deno.FileInfo, "uid" | "mode" | "isDirectory">;

/** Whose a file or folder is, and what it lets others do. */
export interface Access {
  readonly isMine: boolean;
  /** Whether this user may change who uses it, as its owner or as root. */
  readonly mayFix: boolean;
  /** Whether the system owns it: root, or on Windows SYSTEM and the like, which can do everything anyway. */
  readonly isSystems: boolean;
  /** Whose it is, for messages: `uid 1000`. */
  readonly owner: string;
  /** Whether it is as {@linkcode Privacy.makePrivate} leaves it. */
  readonly isPrivate: boolean;
  /** Whether its own user cannot use it. */
  readonly isShut: boolean;
  /** Whether others have any right to it. */
  readonly isOpen: boolean;
  /** Whether others may read what is in it. */
  readonly othersRead: boolean;
  /** Whether others may change it. */
  readonly othersWrite: boolean;
  /** Whether the folder gives others rights to what is made in it. */
  readonly handsOn: boolean;
  /** What says so, for messages: `mode 0644`. */
  readonly shown: string;
}

/** A folder or link on the way to something, which someone else can exchange. */
export interface UnsafeFolder {
  readonly folder: string;
  /** Whether it is open to others; else it is another user's. */
  readonly isOpen: boolean;
  /** The command for an operator: it takes that right away, or shows more of it. */
  readonly command: string;
}

/** A folder that is there, held so that no one puts another one in its place meanwhile. */
export interface HeldFolder extends Disposable {
  access(): Access;
  /** Takes every right from others. */
  makePrivate(): void;
  /** Sees to it that the names in it are on the disk, where the system has to be told. */
  sync(): void;
}

/** Who may use files and folders, by modes or by access lists. What the system refuses is thrown as its own error. */
export interface Privacy {
  /** Whose it is, and what others may do with it. */
  access(path: string, facts: FileFacts): Access;
  /** Takes every right to a file or folder from others; of a link, to what it leads to. */
  makePrivate(path: string): void;
  /** Takes from others what lets them change a file or folder. */
  takeWriting(path: string): void;
  /** Makes an empty file that is its user's alone, where there is none. @returns its descriptor, open for writing. */
  createFile(path: string): number;
  /** Makes a folder that is its user's alone from its beginning, with its parents, unless it is there. */
  makeFolder(path: string): void;
  /** Holds a folder until it is disposed of. @throws when it is no folder, on Windows also when it is a link. */
  holdFolder(path: string): HeldFolder;
  /** Whether a file is on a disk that is known to be mounted read-only, so that not even its owner can change it. */
  isReadOnly(path: string): boolean;
  /**
   * The first folder or link on the way to something that someone else can exchange. What is at the end, unless it is a
   * link, is not looked at.
   */
  unsafeFolderOf(path: string): UnsafeFolder | undefined;
  /**
   * The command by which an operator makes a file or folder of their own private, takes from others what lets them
   * change it, or what lets them read another's file.
   */
  fix(path: string, what: "file" | "folder" | "writing" | "reading"): string;
  /** The command by which an operator makes it their own. */
  fixOwner(path: string): string;
}

/** How a program is started. */
export interface Invocation {
  readonly program: string;
  readonly args: string[];
  /** Windows: the arguments are handed on as they are, since the program reads the line itself. */
  readonly windowsRawArguments?: boolean;
}

/** What a system says of processes. */
export interface Identities {
  /**
   * Where a process number means one process: one boot of the system, and one container on it, with a space between;
   * `undefined` where the system does not tell.
   */
  place(): string | undefined;
  /**
   * When a process started, in the system's own unit: no two processes of a place have the same number and start.
   * `undefined` for one that does not run.
   */
  startOf(pid: number): number | undefined;
}

/** What differs in how a system runs programs. */
export interface ProcessControl {
  /** Sets up signals for this process, before it does anything else. */
  begin(): void;
  /** Listens for a signal, also for one that this process was started with ignored. */
  heed(signal: Deno.Signal, take: () => void): void;
  /** How the system's shell runs a command line of the operator's. */
  shell(commandLine: string): Invocation;
  /** The same with its stdout on stderr, where the shell can do that; elsewhere the caller copies it. */
  shellToStderr(commandLine: string): Invocation;
  /** A word, quoted for such a line. */
  quoted(word: string): string;
  /** Signals by which a program is asked to end. */
  readonly stopping: readonly Deno.Signal[];
  /** The one of them by which a server is asked to read its files again instead. */
  readonly reloading: Deno.Signal | undefined;
  /** Ends a program of ours; where the system can, with what it has started. */
  endTree(child: Deno.ChildProcess): Promise<void>;
  readonly identities: Identities;
  /** Who runs this process, as the system's administrators write it. */
  account(): string;
}

/** A program that was started, and what is known of what it has started in turn. */
export interface Family {
  /** Asks it to end. @returns `false` where it could not be asked. */
  ask(): boolean;
  /** Ends what is left of it, without asking. */
  end(): void;
}

/** Takes a signal; `isOfTerminal` when the terminal sends it to the program as well. */
export type TakeSignal = (signal: Deno.Signal, isOfTerminal: boolean) => void;

/** What differs in how `exec` finds, starts and ends a program. */
export interface Programs {
  /** Folders of programs where there is no `PATH`, written like one. */
  readonly usualFolders: string;
  /** Where a program of that name may be, in the order in which it is looked for. @param folders as `PATH` has them. */
  placesOf(name: string, folders: string): string[];
  /** Whether the system would start a file, which is there. */
  mayExecute(path: string): boolean;
  /** What a file needs that the system is to start, for hints. */
  readonly needs: string;
  /**
   * Makes this process the program, which keeps the process's id, environment, open files and standing with its parent.
   * It comes back only when that cannot be done. Not there where no process can become another.
   *
   * @param argv the program's arguments, its own name first.
   */
  readonly become?: (path: string, argv: readonly string[]) => void;
  /** Signals that can be sent to a program. */
  readonly sendable: readonly Deno.Signal[];
  /** Keeps a program together with what it starts, from right after its start. */
  keepTogether(child: Deno.ChildProcess): Family;
  /**
   * Takes every signal that the program should have. Those that whoever started rekey wants ignored, as nohup does, stay
   * so for both.
   */
  onSignals(take: TakeSignal): void;
  /** Ends this process by a signal, so that its parent sees what happened. It comes back when that cannot be done. */
  dieOf(signal: number): void;
}

/** What differs for a server. */
export interface Serving {
  /** Whether it can listen on Unix sockets. */
  readonly hasUnixSockets: boolean;
  /** Whether several threads can listen on one port, each for its share of the connections. */
  readonly sharesPorts: boolean;
  /**
   * Keeps the memory of a process that holds secrets for long to itself.
   *
   * @returns whether it could be done.
   */
  disableCoreDumps(): boolean;
  /** The same, without anything that the programs would inherit that this process starts. */
  setNotDumpable(): boolean;
  /**
   * Lets the process have as many open files as it may at most. Shells and systemd start programs with 1,024, launchd
   * with 256, for the sake of those that use select(2); a server needs one for every connection.
   */
  raiseFileLimit(): void;
  /** The sockets of this process, in all of its threads, that listen on a TCP port; none where that is not needed. */
  listeningSockets(port: number): number[];
  /** Makes sockets stop listening. The connections that came in on them stay open. */
  stopListening(sockets: readonly number[]): void;
}

/** A server where the system has nothing of all this. */
export const plainServing: Serving = {
  hasUnixSockets: false,
  sharesPorts: false,
  disableCoreDumps: () => false,
  setNotDumpable: () => false,
  raiseFileLimit() {},
  listeningSockets: () => [],
  stopListening() {},
};

/** Reading pipes and open descriptors, which the runtime would wait for without end. */
export interface Streams {
  /** Whether a descriptor is a terminal. */
  isTerminal(descriptor: number): boolean;
  /**
   * Opens a file for reading without waiting for the other end, if it is a pipe, and closes it after use.
   *
   * @returns what `use` does; `undefined` when it cannot be opened.
   */
  withDescriptor<T>(path: string, use: (descriptor: number) => T): T | undefined;
  /** The next bytes, within so many milliseconds; none at the end. `failed` when the system refuses. */
  next(descriptor: number, waitMs: number): Uint8Array | "late" | "failed";
}

/** Bytes of a read that is tried: what a pipe holds. */
export const PIECE = 65_536;

/** Sends a signal to a program; nothing when it has just ended, or has become another user's, as sudo does. */
export function kill(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch (error) {
    const { NotFound, PermissionDenied } = Deno.errors;
    const expected = [TypeError, NotFound, PermissionDenied];
    if (!expected.some((kind) => error instanceof kind)) throw error;
  }
}

/**
 * What is known of a file, a folder or a link itself; `undefined` when there is none. By the runtime's own call,
 * which is ready in a tenth of the time that it takes Node's to be.
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
