/** Giving files other names and taking them away. What is refused is thrown as the system's calls do. */
export interface Moves {
  /** Whether files can be moved and taken away that a program has open. */
  readonly takesOpenFiles: boolean;
  /** In one step, in place of a file that has that name. */
  rename(from: string, to: string): void;
  /** Takes a file away, if it is there. */
  remove(path: string): void;
  /** Takes a folder away with everything in it, if it is there. */
  removeFolder(path: string): void;
}
