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
