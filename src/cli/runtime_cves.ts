/** A known fault of the runtime or of SQLite, and why it does not reach rekey. SECURITY.md has the same list. */
export interface KnownFault {
  /** Its CVE number; a name where it has none. */
  readonly id: string;
  readonly part: "Deno" | "SQLite";
  /** First version with the fault; without it, all versions before the fix have it. */
  readonly since?: string;
  /** First version with the fix; where no release has it yet, the last one that is known to have the fault. */
  readonly fixedIn: string | { readonly notIn: string };
  /** Later versions of older lines that have the fix too. */
  readonly backports?: readonly string[];
  /** The only system that has it. */
  readonly only?: "darwin" | "windows";
  /** Why it does not reach rekey, or what rekey does about it. */
  readonly rekey: string;
}

/** Whether the fix of a fault is in the versions that run here. */
export interface KnownFix {
  readonly id: string;
  /** Such as `Deno 2.7.12`. */
  readonly fixedIn: string;
  readonly present: boolean;
  readonly rekey: string;
}

/** Versions as the runtime tells them: three numbers with dots. */
export interface Running {
  readonly deno: string;
  readonly sqlite: string;
  /** As `Deno.build.os` says it. */
  readonly os: string;
}

const NO_CHILD_PROCESS = "starts programs without node:child_process";
const DENIES_NOTHING = "is compiled without any --deny permission";
const NO_VIRTUAL_TABLES =
  "has no FTS table, and refuses a backup with one before it is looked through";

/** Those since the oldest runtime that rekey was built with (Deno 2.5.7, SQLite 3.49.1). */
export const KNOWN_FAULTS: readonly KnownFault[] = [
  { id: "CVE-2026-22863", part: "Deno", fixedIn: "2.6.0", rekey: "uses each cipher object once" },
  { id: "CVE-2026-27190", part: "Deno", fixedIn: "2.6.8", rekey: NO_CHILD_PROCESS },
  {
    ...{ id: "CVE-2026-32260", part: "Deno", since: "2.7.0", fixedIn: "2.7.2" },
    rekey: NO_CHILD_PROCESS,
  },
  { id: "CVE-2026-55517", part: "Deno", fixedIn: "2.7.5", rekey: "opens no WebSocket" },
  {
    ...{ id: "CVE-2026-44726", part: "Deno", since: "2.0.0", fixedIn: "2.7.8" },
    rekey: "speaks TLS without node:tls",
  },
  {
    ...{ id: "CVE-2026-49402", part: "Deno", fixedIn: "2.7.10", only: "windows" },
    rekey: NO_CHILD_PROCESS,
  },
  {
    ...{ id: "CVE-2026-49406", part: "Deno", fixedIn: "2.7.12" },
    rekey: "is one bundle, and loads nothing from node_modules",
  },
  {
    ...{ id: "CVE-2026-49401", part: "Deno", fixedIn: "2.7.14", only: "darwin" },
    rekey: DENIES_NOTHING,
  },
  { id: "CVE-2026-49411", part: "Deno", fixedIn: "2.8.0", rekey: DENIES_NOTHING },
  {
    id: "CVE-2026-49440",
    part: "Deno",
    fixedIn: "2.8.1",
    rekey: "has a test of primality of its own",
  },
  { id: "CVE-2026-49859", part: "Deno", fixedIn: "2.8.1", rekey: DENIES_NOTHING },
  { id: "CVE-2026-49860", part: "Deno", fixedIn: "2.8.1", rekey: "opens no WebSocket" },
  { id: "CVE-2026-49983", part: "Deno", fixedIn: "2.8.1", rekey: DENIES_NOTHING },
  {
    ...{ id: "CVE-2026-103473", part: "Deno", since: "2.7.0", only: "windows" },
    ...{ fixedIn: { notIn: "2.9.7" }, rekey: NO_CHILD_PROCESS },
  },
  {
    ...{ id: "CVE-2025-6965", part: "SQLite", fixedIn: "3.50.2" },
    rekey: "runs its own statements only",
  },
  {
    ...{ id: "WAL reset", part: "SQLite", since: "3.7.0", fixedIn: "3.51.3" },
    backports: ["3.50.7", "3.44.6"],
    rekey: "keeps writers out of each of its checkpoints",
  },
  { id: "CVE-2026-11822", part: "SQLite", fixedIn: "3.53.2", rekey: NO_VIRTUAL_TABLES },
  { id: "CVE-2026-11824", part: "SQLite", fixedIn: "3.53.2", rekey: NO_VIRTUAL_TABLES },
  { id: "CVE-2026-119373", part: "SQLite", fixedIn: "3.54.0", rekey: NO_VIRTUAL_TABLES },
  { id: "CVE-2026-119374", part: "SQLite", fixedIn: "3.54.0", rekey: NO_VIRTUAL_TABLES },
];

/** Which of the known fixes are in the versions that run here; those of other systems are left out. */
export function knownFixes(running: Running): KnownFix[] {
  return KNOWN_FAULTS.filter(({ only }) => only === undefined || only === running.os)
    .map((fault) => ({
      id: fault.id,
      fixedIn: fixedIn(fault),
      present: !hasFault(fault, fault.part === "Deno" ? running.deno : running.sqlite),
      rekey: fault.rekey,
    }));
}

/** Where the fix is, such as `Deno 2.7.12`, `SQLite 3.51.3, 3.50.7`, or `Deno after 2.9.7`. */
export function fixedIn({ part, fixedIn, backports = [] }: KnownFault): string {
  if (typeof fixedIn !== "string") return `${part} after ${fixedIn.notIn}`;
  return `${part} ${[fixedIn, ...backports].join(", ")}`;
}

function hasFault(fault: KnownFault, version: string): boolean {
  const { since = "0.0.0", fixedIn, backports = [] } = fault;
  if (compareVersions(version, since) < 0) return false;
  if (typeof fixedIn !== "string") return compareVersions(version, fixedIn.notIn) <= 0;
  const isFixed = (first: string) => compareVersions(version, first) >= 0;
  return !isFixed(fixedIn) &&
    !backports.some((first) => lineOf(first) === lineOf(version) && isFixed(first));
}

const lineOf = (version: string) => version.split(".").slice(0, 2).join(".");

/** Below 0 when version `a` is older than `b`, above 0 when it is newer; what follows three numbers does not count. */
export function compareVersions(a: string, b: string): number {
  const [x, y] = [a, b].map((version) => version.match(/\d+/g)!.slice(0, 3).map(Number));
  const at = [0, 1, 2].find((at) => x![at] !== y![at]);
  return at === undefined ? 0 : (x![at] ?? 0) - (y![at] ?? 0);
}
