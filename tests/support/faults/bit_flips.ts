import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import { join } from "node:path";
import { ERROR_TABLE, type ErrorCode } from "../../../src/core/errors.ts";
import { type Attempt, type Findings, inProcess } from "./attempts.ts";
import { auditRows, putDatabase, type Specimen } from "./specimen.ts";

/** What a flip came to: the strongest of what its commands showed. */
export type Outcome = "harmless" | "refused" | "audit row named" | "other verdict";

/** What a series of flips came to. */
export interface FlipReport {
  readonly flips: number;
  readonly seed: number;
  readonly outcomes: Record<Outcome, number>;
  /** How many flips a code refused; several may refuse one flip. */
  readonly codes: Record<string, number>;
  /** Flips with which the audit rows read differently. */
  auditChanged: number;
  slowestMs: number;
  /** What must not be, with its bit. */
  readonly failures: string[];
}

/**
 * Changes one bit of a copy of the database, again and again, and tries commands on it. A failure is: a command
 * that ends with anything else than a refusal; a dead token that is accepted; a token that something else than
 * the true secret signed; an audit row that reads differently unnoticed. It ends early after `mostFailures`.
 */
export async function flipBits(
  specimen: Specimen,
  flips: number,
  seed: number,
  attempt: Attempt = inProcess,
  mostFailures = Infinity,
): Promise<FlipReport> {
  const normal = await attempt(specimen, specimen.bytes);
  checkTokens(specimen, normal);
  const report = emptyReport(flips, seed);
  for (const bit of chosenBits(specimen.bytes, flips, seed)) {
    if (report.failures.length >= mostFailures) break;
    const damaged = specimen.bytes.slice();
    damaged[bit >> 3]! ^= 1 << (bit & 7);
    const start = performance.now();
    try {
      check(specimen, normal, await attempt(specimen, damaged), damaged, report);
    } catch (error) {
      report.failures.push(`bit ${bit}: ${error}`);
    }
    report.slowestMs = Math.max(report.slowestMs, performance.now() - start);
  }
  return report;
}

/** A report in one line. */
export function flipFigures(report: FlipReport): string {
  const { flips, seed, outcomes, codes, auditChanged, slowestMs, failures } = report;
  const list = (counts: Record<string, number>) =>
    Object.entries(counts).map(([what, count]) => `${what} ${count}`).join(", ");
  return `${flips} flips (seed ${seed}): ${list(outcomes)}; refused with ${list(codes)}; ` +
    `audit rows read differently ${auditChanged}; slowest ${Math.round(slowestMs)} ms; ` +
    `failures ${failures.length}`;
}

function emptyReport(flips: number, seed: number): FlipReport {
  const outcomes = { "harmless": 0, "refused": 0, "audit row named": 0, "other verdict": 0 };
  return { flips, seed, outcomes, codes: {}, auditChanged: 0, slowestMs: 0, failures: [] };
}

/**
 * One bit in each of as many equal parts of the file; every other time of the bytes that are not zero, since
 * most of a small database is empty.
 */
function* chosenBits(bytes: Uint8Array, flips: number, seed: number): Generator<number> {
  const random = evenly(seed);
  const used = [...bytes.keys()].filter((index) => bytes[index] !== 0);
  for (let i = 0; i < flips; i++) {
    const share = (i + random()) / flips;
    const byte = i % 2 === 0
      ? Math.floor(share * bytes.length)
      : used[Math.floor(share * used.length)]!;
    yield byte * 8 + Math.floor(random() * 8);
  }
}

/** Evenly spread numbers from 0 to 1 (mulberry32): the same seed, the same flips. */
function evenly(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function check(
  specimen: Specimen,
  normal: Findings,
  found: Findings,
  damaged: Uint8Array,
  report: FlipReport,
): void {
  checkTokens(specimen, found);
  const rows = rowsOf(specimen, damaged);
  if (rows !== undefined && rows !== specimen.rows) {
    report.auditChanged++;
    const unnoticed = "an audit row reads differently and none is named";
    assert.notEqual(found["audit verify"]!.code, "ok", unnoticed);
  }
  const differing = Object.entries(found).filter(([name, { code }]) => code !== normal[name]!.code);
  const codes = new Set(differing.map(([, { code }]) => code));
  const refusals = [...codes].filter(isRefusal);
  report.outcomes[outcomeOf(refusals.length > 0, codes)]++;
  for (const code of refusals) report.codes[code] = (report.codes[code] ?? 0) + 1;
}

function outcomeOf(refused: boolean, codes: Set<string>): Outcome {
  if (refused) return "refused";
  if (codes.has("check_failed")) return "audit row named";
  return codes.size > 0 ? "other verdict" : "harmless";
}

// A verdict on a token or on the log is not a refusal, nor is a success.
function isRefusal(code: "ok" | ErrorCode): boolean {
  return code !== "ok" && ![3, 5].includes(ERROR_TABLE[code].exit);
}

/** Whatever else the commands say: no dead token is accepted, and nothing but the secret signs. */
function checkTokens({ secret, kid }: Specimen, found: Findings): void {
  for (const dead of ["retired", "revoked"]) {
    assert.notEqual(found[`verify ${dead}`]!.code, "ok", `the ${dead} token was accepted`);
  }
  for (const [ended, by] of [["grace", "revoke"], ["current", "rotate"]] as const) {
    const accepted = found[`verify ${ended} after ${by}`]?.code === "ok";
    assert.ok(!accepted || found[by]!.code !== "ok", `${by} did not end the ${ended} token`);
  }
  const { code, token = "" } = found.issue!;
  if (code !== "ok") return;
  const [header, payload, signature] = token.split(".") as [string, string, string];
  const mac = createHmac("sha512", secret).update(`${header}.${payload}`).digest("base64url");
  assert.ok(signature === mac, "a token was signed with another secret");
  assert.equal(JSON.parse(Buffer.from(header, "base64url").toString()).kid, kid);
}

/** The audit rows of a damaged copy; `undefined` when SQLite cannot read them. */
function rowsOf({ workshop }: Specimen, damaged: Uint8Array): string | undefined {
  const path = join(workshop, "read.db");
  putDatabase(path, damaged);
  try {
    return auditRows(path);
  } catch {
    return undefined;
  }
}
