import { Buffer } from "node:buffer";
import process from "node:process";
import type { Caller, ReadVariable } from "../caller.ts";
import { LIBC, withLibc, zeroTerminated } from "../unix/libc.ts";
import { callerBySudo } from "../unix/sudo.ts";

/** What tells who has started this process. */
export interface CallerFacts {
  /** Content of `/proc/self/loginuid`; `undefined` where the kernel has no audit. */
  readonly loginuid: string | undefined;
  /** Content of `/proc/self/cgroup`. */
  readonly cgroup: string | undefined;
  /** Content of `/proc/self/uid_map`; `undefined` where the kernel has no user namespaces. */
  readonly uidMap: string | undefined;
  /** The user that the process runs as. */
  readonly uid: number;
  nameOf(uid: number): string | undefined;
  readonly variable: ReadVariable;
}

/** Who has started this process: see {@linkcode Caller}. */
export function linuxCaller(variable: ReadVariable): Caller {
  const [loginuid, cgroup, uidMap] = smallFiles(
    ["loginuid", "cgroup", "uid_map"].map((name) => `/proc/self/${name}`),
  );
  return callerFrom({ loginuid, cgroup, uidMap, uid: process.getuid!(), nameOf, variable });
}

// (uid_t) -1: no one has logged in, as for a service or in most containers.
const UNSET = 2 ** 32 - 1;

/** {@linkcode linuxCaller} from given facts. */
export function callerFrom(facts: CallerFacts): Caller {
  const { loginuid, cgroup, uidMap, uid, nameOf, variable } = facts;
  const number = Number(loginuid?.trim() || UNSET);
  const known = Number.isSafeInteger(number) && number !== UNSET && number !== uid;
  const login = known ? nameOf(number) ?? `uid ${number}` : undefined;
  const inUserNamespace = uidMap !== undefined && !IDENTITY.test(uidMap);
  // Its root need not be the system's, so anyone may have set the variables.
  const { sudo, doas } = inUserNamespace ? {} : callerBySudo(variable);
  return {
    login,
    sudo: sudo === login ? undefined : sudo,
    doas: doas === login || doas === sudo ? undefined : doas,
    ...unitIn(cgroup ?? ""),
    inUserNamespace,
  };
}

// Every user is the same one outside. A namespace that is not root's has a part of them at most.
const IDENTITY = /^\s*0\s+0\s+4294967295\s*$/;

/**
 * The unit that a control group belongs to (systemd.slice(5), cgroups(7)). The scope of a login session or of
 * a container is not one.
 */
function unitIn(cgroup: string): Pick<Caller, "unit" | "userUnit"> {
  // Version 2, or systemd's own hierarchy of version 1.
  for (const [, path] of cgroup.matchAll(/^(?:0:|\d+:name=systemd):(.*)$/gm)) {
    const units = path!.split("/").filter((part) => /\.(service|scope)$/.test(part));
    const [first, second] = units;
    if (first === undefined || first.endsWith(".scope")) continue;
    if (!/^user@\d+\.service$/.test(first)) return { unit: plain(first) };
    if (second?.endsWith(".service")) return { userUnit: plain(second) };
  }
  return {};
}

// systemd puts a line before names that the kernel uses itself.
function plain(unit: string): string {
  return unit.replace(/^_/, "");
}

const CALLS = {
  open: { parameters: ["buffer", "i32"], result: "i32" },
  read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  close: { parameters: ["i32"], result: "i32" },
} as const;

const O_RDONLY_CLOEXEC = 0o2000000;
const MOST_BYTES = 4_096;

/** Reads files of `/proc`, which the runtime's own calls refuse; `undefined` for one that cannot be read. */
function smallFiles(paths: readonly string[]): (string | undefined)[] {
  if (LIBC === undefined) return [];
  return withLibc(CALLS, ({ open, read, close }) =>
    paths.map((path) => {
      const descriptor = open(zeroTerminated(path), O_RDONLY_CLOEXEC);
      if (descriptor < 0) return undefined;
      const bytes = Buffer.alloc(MOST_BYTES);
      const length = Number(read(descriptor, bytes, BigInt(MOST_BYTES)));
      close(descriptor);
      return length < 0 ? undefined : bytes.toString("utf8", 0, length);
    }));
}

const GETPWUID = { parameters: ["u32"], result: "pointer" } as const;

// `pw_name` is the first field of `struct passwd`.
function nameOf(uid: number): string | undefined {
  return withLibc({ getpwuid: GETPWUID }, ({ getpwuid }) => {
    const entry = getpwuid(uid);
    if (entry === null) return undefined;
    const name = new Deno.UnsafePointerView(entry).getPointer();
    return name === null ? undefined : new Deno.UnsafePointerView(name).getCString();
  });
}
