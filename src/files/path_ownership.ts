import { RekeyError } from "../core/errors.ts";
import { HERE } from "../system/here.ts";
import type { UnsafeFolder } from "../system/privacy.ts";

/**
 * Makes sure that no other user can exchange what a path leads to: every folder and symbolic link on the way, as
 * far as they are there, belongs to this user or the system, and nobody else may rename what is in them. Without
 * it a check of the file itself says little, since another one may be there a moment later.
 *
 * What is at the end, unless it is a link, is not looked at: that is the caller's.
 *
 * @throws {RekeyError} `database_unusable` when somebody else is in between.
 */
export function refuseUnsafePath(path: string): void {
  const unsafe = HERE.privacy.unsafeFolderOf(path);
  if (unsafe !== undefined) throw unsafePath(path, unsafe);
}

/** What is said of it. */
export function unsafePath(path: string, { folder, isOpen }: UnsafeFolder): RekeyError {
  const why = isOpen ? "can be written by every user" : "belongs to another user";
  return new RekeyError("database_unusable", `Cannot use ${path}: ${folder} on the way ${why}`, {
    hint: "They could exchange what is there. Name a place of your own, or take that right away",
  });
}
