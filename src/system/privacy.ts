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
