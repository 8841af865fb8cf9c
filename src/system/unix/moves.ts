import { renameSync, rmSync } from "node:fs";
import type { Moves } from "../moves.ts";

/** A file that a program has open can be moved and taken away. */
export const unixMoves: Moves = {
  rename: renameSync,
  remove: (path) => rmSync(path, { force: true }),
  removeFolder: (path) => rmSync(path, { force: true, recursive: true }),
};
