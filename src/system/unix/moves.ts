import { renameSync, rmSync } from "node:fs";
import type { Moves } from "../moves.ts";

/** Renaming and deleting as POSIX has them. */
export const unixMoves: Moves = {
  takesOpenFiles: true,
  rename: renameSync,
  remove: (path) => rmSync(path, { force: true }),
  removeFolder: (path) => rmSync(path, { force: true, recursive: true }),
};
