import type { Access } from "../files.ts";

/** One entry of an access list. */
export interface Entry {
  /** Whether it grants rights; other entries deny them. */
  readonly allows: boolean;
  /** The user or group, as `S-1-5-32-545`. */
  readonly sid: string;
  /** ACCESS_MASK of <winnt.h>. */
  readonly mask: number;
  /** Whether it applies to the object itself, and not only to new files in the folder. */
  readonly appliesHere: boolean;
  /** Whether new files or folders in the folder inherit it. */
  readonly isInherited: boolean;
}

/** Owner and access list of a file or folder. */
export interface Descriptor {
  readonly owner: string | undefined;
  /** `undefined` without a list, which means that everyone has all rights. */
  readonly entries: readonly Entry[] | undefined;
  /** Whether it inherits nothing from its folder. */
  readonly isProtected: boolean;
}

// <winnt.h>: SECURITY_DESCRIPTOR_RELATIVE, ACL, ACE_HEADER, SID.
const AT = { control: 2, owner: 4, dacl: 16 };
const [DACL_PRESENT, DACL_PROTECTED] = [0x4, 0x1000];
const ACL = { count: 4, entries: 8 };
const ACE = { type: 0, flags: 1, size: 2, mask: 4, sid: 8, flagsOfObject: 8 };
// Types that grant rights, also those for a kind of object or with a condition, which counts as met.
const ALLOWING = [0x0, 0x5, 0x9, 0xb];
const OF_OBJECTS = [0x5, 0x6, 0xb, 0xc];
const INHERIT = { objects: 0x1, containers: 0x2, only: 0x8 };
const GUID_BYTES = 16;

/** Parses a self-relative security descriptor. */
export function parseDescriptor(bytes: Uint8Array): Descriptor {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const control = view.getUint16(AT.control, true);
  const [owner, dacl] = [view.getUint32(AT.owner, true), view.getUint32(AT.dacl, true)];
  const hasList = (control & DACL_PRESENT) !== 0 && dacl !== 0;
  return {
    owner: owner === 0 ? undefined : sidAt(view, owner),
    entries: hasList ? entriesAt(view, dacl) : undefined,
    isProtected: (control & DACL_PROTECTED) !== 0,
  };
}

/** Parses a security identifier. */
export function parseSid(bytes: Uint8Array): string {
  return sidAt(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0);
}

function sidAt(view: DataView, at: number): string {
  const parts = Array.from(
    { length: view.getUint8(at + 1) },
    (_, i) => view.getUint32(at + 8 + 4 * i, true),
  );
  // Six bytes, big-endian.
  const authority = view.getUint16(at + 2) * 2 ** 32 + view.getUint32(at + 4);
  return ["S", view.getUint8(at), authority, ...parts].join("-");
}

function entriesAt(view: DataView, list: number): Entry[] {
  const entries: Entry[] = [];
  let at = list + ACL.entries;
  for (let left = view.getUint16(list + ACL.count, true); left > 0; left--) {
    entries.push(entryAt(view, at));
    at += view.getUint16(at + ACE.size, true);
  }
  return entries;
}

function entryAt(view: DataView, at: number): Entry {
  const [type, flags] = [view.getUint8(at + ACE.type), view.getUint8(at + ACE.flags)];
  return {
    allows: ALLOWING.includes(type),
    sid: sidAt(view, at + ACE.sid + (OF_OBJECTS.includes(type) ? guidBytes(view, at) : 0)),
    mask: view.getUint32(at + ACE.mask, true),
    appliesHere: (flags & INHERIT.only) === 0,
    isInherited: (flags & (INHERIT.objects | INHERIT.containers)) !== 0,
  };
}

// Flags and up to two GUIDs come before the identifier.
function guidBytes(view: DataView, at: number): number {
  const present = view.getUint32(at + ACE.flagsOfObject, true);
  return 4 + ((present & 1) + (present >> 1 & 1)) * GUID_BYTES;
}

const [SYSTEM, ADMINISTRATORS] = ["S-1-5-18", "S-1-5-32-544"];
const TRUSTED_INSTALLER = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464";
const [CREATOR_OWNER, OWNER_RIGHTS] = ["S-1-3-0", "S-1-3-4"];

// These can do everything on the machine anyway, such as backup programs and virus scanners.
const SYSTEM_ACCOUNTS: readonly string[] = [SYSTEM, ADMINISTRATORS, TRUSTED_INSTALLER];

/** Have full rights to a private file besides its user, as in Windows' own key stores. */
export const PRIVATE_FILE_ACCOUNTS: readonly string[] = [SYSTEM, ADMINISTRATORS];

const NAMES: Readonly<Record<string, string>> = {
  "S-1-1-0": "Everyone",
  "S-1-5-4": "Interactive",
  "S-1-5-7": "Anonymous",
  "S-1-5-11": "Authenticated Users",
  "S-1-5-32-545": "Users",
  "S-1-5-32-546": "Guests",
  "S-1-5-32-547": "Power Users",
  [SYSTEM]: "SYSTEM",
  [ADMINISTRATORS]: "Administrators",
  [TRUSTED_INSTALLER]: "TrustedInstaller",
};

// ACCESS_MASK of <winnt.h>. In folders: READ lists names, WRITE creates files, APPEND creates folders.
const READ = 0x1;
const [WRITE, APPEND] = [0x2, 0x4];
const DELETE_CHILD = 0x40;
const DELETE = 0x10000;
const [WRITE_DAC, WRITE_OWNER] = [0x40000, 0x80000];
const [GENERIC_ALL, GENERIC_WRITE, GENERIC_READ] = [0x10000000, 0x40000000, 0x80000000];

const CONTROL = WRITE_DAC | WRITE_OWNER | GENERIC_ALL;
const READS = READ | GENERIC_READ | CONTROL;
const WRITES = WRITE | APPEND | DELETE | DELETE_CHILD | GENERIC_WRITE | CONTROL;
const REPLACES = DELETE | DELETE_CHILD | CONTROL;

function accountName(sid: string): string {
  return NAMES[sid] ?? sid;
}

/** Whether an identifier is this user, or the system. @param me this user's identifier. */
export function isTrusted(sid: string | undefined, me: string): boolean {
  return sid !== undefined && (sid === me || SYSTEM_ACCOUNTS.includes(sid));
}

/** Entries that grant rights to other users. Entries that deny rights are ignored. */
export function entriesOfOthers({ owner, entries }: Descriptor, me: string): readonly Entry[] {
  if (entries === undefined) return [EVERYONE];
  const isOwners = (sid: string) => sid === CREATOR_OWNER || sid === OWNER_RIGHTS;
  const isOthers = (sid: string) => isOwners(sid) ? !isTrusted(owner, me) : !isTrusted(sid, me);
  return entries.filter(({ allows, sid, mask }) => allows && mask !== 0 && isOthers(sid));
}

const EVERYONE: Entry = {
  allows: true,
  sid: "S-1-1-0",
  mask: GENERIC_ALL,
  appliesHere: true,
  isInherited: true,
};

/** The rights that a security descriptor gives to this user and to others. */
export function accessOf(descriptor: Descriptor, isDirectory: boolean, me: string): Access {
  const { owner, entries, isProtected } = descriptor;
  const others = entriesOfOthers(descriptor, me);
  const here = others.filter(({ appliesHere }) => appliesHere);
  const may = (rights: number) => here.some(({ mask }) => (mask & rights) !== 0);
  // The files of an administrator belong to the group.
  const isMine = isTrusted(owner, me);
  const deniesOwner = entries?.some(({ allows, sid }) => allows && !isOnlySystem(sid)) === false;
  const isOpen = others.length > 0;
  return {
    isMine,
    mayFix: isMine,
    isSystemOwned: owner !== undefined && SYSTEM_ACCOUNTS.includes(owner),
    owner: owner === undefined ? "no one" : accountName(owner),
    isPrivate: !isOpen && !deniesOwner && (isProtected || !isDirectory),
    deniesOwner,
    isOpen,
    othersRead: may(READS),
    othersWrite: may(WRITES),
    othersInherit: isDirectory && others.some(({ isInherited }) => isInherited),
    shown: shown(others),
  };
}

const isOnlySystem = (sid: string) => sid === SYSTEM || sid === TRUSTED_INSTALLER;

function shown(others: readonly Entry[]): string {
  if (others.length === 0) return "an access list without its own user";
  const names = [...new Set(others.map(({ sid }) => accountName(sid)))];
  return `an access list with ${names.join(", ")}`;
}

/** Whether other users can replace a folder, or the files in it. */
export function isReplaceable(descriptor: Descriptor, me: string): boolean {
  return entriesOfOthers(descriptor, me).some(({ appliesHere, mask }) =>
    appliesHere && (mask & REPLACES) !== 0
  );
}
