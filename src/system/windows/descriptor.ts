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
