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
