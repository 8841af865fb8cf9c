import { mkdirSync } from "node:fs";
import type { Access, HeldFolder, Privacy } from "../privacy.ts";

const MINE: Access = {
  isMine: true,
  mayFix: true,
  isSystems: false,
  owner: "this user",
  isPrivate: true,
  isShut: false,
  isOpen: false,
  othersRead: false,
  othersWrite: false,
  shown: "the access list of its folder",
};

/** For the time being: the access list that a profile hands on. */
export const windowsPrivacy: Privacy = {
  access: () => MINE,
  makePrivate() {},
  takeWriting() {},
  makeFolder(path) {
    mkdirSync(path, { recursive: true });
  },
  holdFolder: (): HeldFolder => ({
    access: () => MINE,
    makePrivate() {},
    sync() {},
    [Symbol.dispose]() {},
  }),
  unsafeOnWay: () => undefined,
  fix: (path) => `icacls "${path}"`,
  fixOwner: (path) => `takeown /f "${path}"`,
};
