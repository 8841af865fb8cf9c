import { fchmodSync, fchownSync } from "node:fs";
import process from "node:process";
import type { Owners } from "../owners.ts";
import { withLibc, zeroTerminated } from "./libc.ts";

const UNCHANGED = -1;

/** Users and groups as the C library knows them: those of a directory service are among them. */
export const unixOwners: Owners = {
  userId: (name) => numberOf("getpwnam", name),
  groupId: (name) => numberOf("getgrnam", name),
  me: () => process.geteuid!(),
  myGroup: () => process.getegid!(),
  give(descriptor, user, group, mode) {
    // The mode comes last: a change of the owner may clear bits of it.
    if (user !== undefined || group !== undefined) {
      fchownSync(descriptor, user ?? UNCHANGED, group ?? UNCHANGED);
    }
    fchmodSync(descriptor, mode);
  },
};

// The largest number, 2³² - 1, means "unchanged".
const LARGEST_ID = 2 ** 32 - 2;

type Call = "getpwnam" | "getgrnam";

function numberOf(call: Call, name: string): number | undefined {
  if (/^\d{1,10}$/.test(name)) return Number(name) <= LARGEST_ID ? Number(name) : undefined;
  return lookUp(call, name);
}

// Of `pw_uid` in `struct passwd` and of `gr_gid` in `struct group` of 64-bit Linux and macOS: after two pointers.
const NUMBER_OFFSET = 16;

const LOOKUP = { parameters: ["buffer"], result: "pointer" } as const;

function lookUp(call: Call, name: string): number | undefined {
  return withLibc({ getpwnam: LOOKUP, getgrnam: LOOKUP }, (libc) => {
    const entry = libc[call](zeroTerminated(name));
    if (entry === null) return undefined;
    return new Deno.UnsafePointerView(entry).getUint32(NUMBER_OFFSET);
  });
}
