import type { Access } from "../system.ts";

/** One entry of an access list. */
export interface Entry {
  /** Whether it gives rights; others deny them. */
  readonly allows: boolean;
  /** Who gets them, as `S-1-5-32-545`. */
  readonly sid: string;
  /** ACCESS_MASK of <winnt.h>. */
  readonly mask: number;
  /** Whether it holds for the folder itself, and not only for what is made in it. */
  readonly isHere: boolean;
  /** Whether files or folders that are made in the folder get it too. */
  readonly isHandedOn: boolean;
}

/** What a security descriptor says. */
export interface Descriptor {
  readonly owner: string | undefined;
  /** `undefined` where there is none, and everyone may do everything. */
  readonly entries: readonly Entry[] | undefined;
  /** Whether it gets nothing from the folder that it is in. */
  readonly isProtected: boolean;
}

// <winnt.h>: SECURITY_DESCRIPTOR_RELATIVE, ACL, ACE_HEADER, SID.
const AT = { control: 2, owner: 4, dacl: 16 };
const [DACL_PRESENT, DACL_PROTECTED] = [0x4, 0x1000];
const ACL = { count: 4, entries: 8 };
const ACE = { type: 0, flags: 1, size: 2, mask: 4, sid: 8, flagsOfObject: 8 };
// Allowing ones, of which some are for an object's kind, or have a condition, which is taken to be met.
const ALLOWING = [0x0, 0x5, 0x9, 0xb];
const OF_OBJECTS = [0x5, 0x6, 0xb, 0xc];
const INHERIT = { objects: 0x1, containers: 0x2, only: 0x8 };
const GUID_BYTES = 16;

/** Reads a self-relative security descriptor. */
export function descriptorIn(bytes: Uint8Array): Descriptor {
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

/** A security identifier in its usual spelling. */
export function sidIn(bytes: Uint8Array): string {
  return sidAt(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0);
}

function sidAt(view: DataView, at: number): string {
  const parts = Array.from(
    { length: view.getUint8(at + 1) },
    (_, i) => view.getUint32(at + 8 + 4 * i, true),
  );
  // Six bytes, the highest first.
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
    sid: sidAt(view, at + ACE.sid + (OF_OBJECTS.includes(type) ? guids(view, at) : 0)),
    mask: view.getUint32(at + ACE.mask, true),
    isHere: (flags & INHERIT.only) === 0,
    isHandedOn: (flags & (INHERIT.objects | INHERIT.containers)) !== 0,
  };
}

// Before the identifier stand flags and up to two GUIDs.
function guids(view: DataView, at: number): number {
  const present = view.getUint32(at + ACE.flagsOfObject, true);
  return 4 + ((present & 1) + (present >> 1 & 1)) * GUID_BYTES;
}

const [SYSTEM, ADMINISTRATORS] = ["S-1-5-18", "S-1-5-32-544"];
const TRUSTED_INSTALLER = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464";
const [CREATOR_OWNER, OWNER_RIGHTS] = ["S-1-3-0", "S-1-3-4"];

// Whoever acts for these can do everything on the machine anyway; backups and virus scanners do.
const OF_SYSTEM: readonly string[] = [SYSTEM, ADMINISTRATORS, TRUSTED_INSTALLER];

/** Who has full rights to a private file besides its user, as in Windows' own stores of keys. */
export const KEEPERS: readonly string[] = [SYSTEM, ADMINISTRATORS];

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

// ACCESS_MASK of <winnt.h>, with what each is of a file / of a folder.
const READ = 0x1; // its content / the names in it
const [WRITE, APPEND] = [0x2, 0x4]; // / making files, folders in it
const DELETE_CHILD = 0x40;
const DELETE = 0x10000;
const [WRITE_LIST, WRITE_OWNER] = [0x40000, 0x80000];
const [GENERIC_ALL, GENERIC_WRITE, GENERIC_READ] = [0x10000000, 0x40000000, 0x80000000];

const TAKES = WRITE_LIST | WRITE_OWNER | GENERIC_ALL;
const READS = READ | GENERIC_READ | TAKES;
const WRITES = WRITE | APPEND | DELETE | DELETE_CHILD | GENERIC_WRITE | TAKES;
const EXCHANGES = DELETE | DELETE_CHILD | TAKES;

/** How someone is called in messages. */
function accountName(sid: string): string {
  return NAMES[sid] ?? sid;
}

/** Whether someone is this user, or the system. @param me the user's identifier. */
export function isTrusted(sid: string | undefined, me: string): boolean {
  return sid !== undefined && (sid === me || OF_SYSTEM.includes(sid));
}

/** Who else has rights, with the rights that each has. Denials are not counted: none is needed where nothing is given. */
export function others({ owner, entries }: Descriptor, me: string): readonly Entry[] {
  if (entries === undefined) return [EVERYONE];
  const isOwners = (sid: string) => sid === CREATOR_OWNER || sid === OWNER_RIGHTS;
  const isOthers = (sid: string) => isOwners(sid) ? !isTrusted(owner, me) : !isTrusted(sid, me);
  return entries.filter(({ allows, sid, mask }) => allows && mask !== 0 && isOthers(sid));
}

const EVERYONE: Entry = {
  allows: true,
  sid: "S-1-1-0",
  mask: GENERIC_ALL,
  isHere: true,
  isHandedOn: true,
};

/** What a security descriptor means for this user and for others. */
export function judged(descriptor: Descriptor, isDirectory: boolean, me: string): Access {
  const { owner, entries, isProtected } = descriptor;
  const strangers = others(descriptor, me);
  const here = strangers.filter(({ isHere }) => isHere);
  const may = (rights: number) => here.some(({ mask }) => (mask & rights) !== 0);
  // An administrator's files belong to the group.
  const isMine = isTrusted(owner, me);
  const isShut = entries?.some(({ allows, sid }) => allows && !isOnlySystem(sid)) === false;
  const isOpen = strangers.length > 0;
  return {
    isMine,
    mayFix: isMine,
    isSystems: owner !== undefined && OF_SYSTEM.includes(owner),
    owner: owner === undefined ? "no one" : accountName(owner),
    isPrivate: !isOpen && !isShut && (isProtected || !isDirectory),
    isShut,
    isOpen,
    othersRead: may(READS),
    othersWrite: may(WRITES),
    handsOn: isDirectory && strangers.some(({ isHandedOn }) => isHandedOn),
    shown: shown(strangers),
  };
}

const isOnlySystem = (sid: string) => sid === SYSTEM || sid === TRUSTED_INSTALLER;

function shown(strangers: readonly Entry[]): string {
  if (strangers.length === 0) return "an access list without its own user";
  const names = [...new Set(strangers.map(({ sid }) => accountName(sid)))];
  return `an access list with ${names.join(", ")}`;
}

/** Whether others can exchange a folder, or what is in it. */
export function isExchangeable(descriptor: Descriptor, me: string): boolean {
  return others(descriptor, me).some(({ isHere, mask }) => isHere && (mask & EXCHANGES) !== 0);
}
