import type { SecurityApi } from "../../../src/system/windows/security_api.ts";
import type { Descriptor, Entry } from "../../../src/system/windows/access_lists.ts";

/** Identifiers as Windows has them. */
export const SIDS = {
  me: "S-1-5-21-1-2-3-1001",
  other: "S-1-5-21-1-2-3-1002",
  system: "S-1-5-18",
  administrators: "S-1-5-32-544",
  everyone: "S-1-1-0",
  users: "S-1-5-32-545",
  creator: "S-1-3-0",
};

/** Rights, by the names that icacls has for them. */
export const RIGHTS = { F: 0x1f01ff, M: 0x1301bf, RX: 0x1200a9, X: 0x1000a0, D: 0x10000 };

export function allowed(sid: string, mask: number, more: Partial<Entry> = {}): Entry {
  return { allows: true, sid, mask, appliesHere: true, isInherited: false, ...more };
}

/** What a profile has: its user, the system and administrators, and all of it for what is made there. */
export function ofProfile(...more: Entry[]): Descriptor {
  const own = [SIDS.system, SIDS.administrators, SIDS.me];
  const entries = own.map((sid) => allowed(sid, RIGHTS.F, { isInherited: true }));
  return { owner: SIDS.me, entries: [...entries, ...more], isProtected: false };
}

/** A Windows with the descriptors that it is given. It keeps what it is told, unless it is a disk without lists. */
export class FakeSecurity implements SecurityApi {
  readonly told: [path: string, sddl: string][] = [];

  constructor(
    private readonly descriptors: Record<string, Descriptor>,
    private readonly hasLists = true,
  ) {}

  me = () => SIDS.me;

  descriptorOf(path: string): Descriptor {
    const found = this.descriptors[path];
    if (found === undefined) throw new Error(`No one has said whose ${path} is`);
    return found;
  }

  protect(path: string, sddl: string): void {
    this.told.push([path, sddl]);
    if (this.hasLists) this.descriptors[path] = { ...ofProfile(), isProtected: true };
  }

  makeFolder = () => false;
  makeFile = () => false;
}
