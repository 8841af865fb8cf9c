import { fchmodSync, fchownSync } from "node:fs";
import process from "node:process";
import type { Owners } from "../owners.ts";

/** Users and groups of passwd(5) and group(5), and where it is installed, of everything that getent(1) knows. */
export const unixOwners: Owners = {
  userId: (name) => numberOf("passwd", name),
  groupId: (name) => numberOf("group", name),
  me: () => process.geteuid!(),
  myGroup: () => process.getegid!(),
  give(descriptor, user, group, mode) {
    // The mode comes last: a change of the owner may clear bits of it.
    fchownSync(descriptor, user, group);
    fchmodSync(descriptor, mode);
  },
};

// The largest number, 2³² - 1, means "unchanged".
const LARGEST_ID = 2 ** 32 - 2;

function numberOf(table: "passwd" | "group", name: string): number | undefined {
  if (/^\d{1,10}$/.test(name)) return Number(name) <= LARGEST_ID ? Number(name) : undefined;
  return inLines(readTable(table), name) ?? inLines(getent(table, name), name);
}

// `name:password:number:…` in both tables.
function inLines(text: string, name: string): number | undefined {
  const line = text.split("\n").find((one) => one.startsWith(`${name}:`));
  const number = line?.split(":")[2];
  return number !== undefined && /^\d{1,10}$/.test(number) ? Number(number) : undefined;
}

function readTable(table: string): string {
  try {
    return Deno.readTextFileSync(`/etc/${table}`);
  } catch {
    // getent may still know.
    return "";
  }
}

const GETENT = "/usr/bin/getent";

function getent(table: string, name: string): string {
  try {
    const streams = { stdin: "null", stdout: "piped", stderr: "null" } as const;
    const { stdout } = new Deno.Command(GETENT, { args: [table, name], ...streams }).outputSync();
    return new TextDecoder().decode(stdout);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}
