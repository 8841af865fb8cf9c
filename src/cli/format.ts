import { MOST_COUNTED } from "../auth/manager.ts";
import { rfc3339 } from "../core/clock.ts";
import { printable } from "../core/encoding.ts";
import { numbered } from "../core/words.ts";
import { keyText, modulusBits } from "../core/algorithms.ts";
import type { Version } from "../store/sqlite/versions.ts";

export { printable };

/** The fields of a version with `--json`. */
export function describeVersion(app: string, row: Version) {
  const { version, kid, location, created_at, alg, key_form } = row;
  return { app, version, kid, location, created_at: rfc3339(created_at), alg, key_form };
}

/** What a new key pair is. */
export function pairText({ alg, key_form, bytes }: Version): string {
  return `New tokens: ${
    keyText(alg, key_form, modulusBits(alg, bytes))
  }; \`rekey jwks\` prints the public half, for verifiers`;
}

/** The kid that tokens carry, where it is not the version's own: that of an imported key. */
export function tokenKidText({ token_kid }: Pick<Version, "token_kid">): string {
  return token_kid === null ? "" : `, kid of its tokens ${printable(token_kid)}`;
}

/** A number of sessions, for people. */
export function sessionsText(count: number): string {
  return mayBeMore(count) ? `${MOST_COUNTED} or more` : String(count);
}

/** Whether there may be more sessions than were counted. */
export function mayBeMore(count: number): boolean {
  return count >= MOST_COUNTED;
}

/** A number of sessions, with a note that other tokens are not counted. */
export function countedSessions(count: number): string {
  return `${
    sessionsText(count)
  } issued by rekey (tokens that programs sign by themselves are not counted)`;
}

/** A duration in its largest fitting unit, for people. */
export function describeSeconds(seconds: number): string {
  const units: [number, string][] = [[86_400, "day"], [3_600, "hour"], [60, "minute"], [
    1,
    "second",
  ]];
  const [size, name] = units.find(([unit]) => seconds >= unit) ?? [1, "second"];
  return numbered(Math.floor(seconds / size), name);
}

/** A duration in the form that flags take, in the largest exact unit. */
export function spelled(seconds: number): string {
  const units: [number, string][] = [[86_400, "d"], [3_600, "h"], [60, "m"]];
  const [size, unit] = units.find(([size]) => seconds % size === 0) ?? [1, "s"];
  return `${seconds / size}${unit}`;
}

/** Left-aligned columns; the last one is not padded. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]?.map((_, column) =>
    rows.reduce((most, row) => Math.max(most, row[column]!.length), 0)
  );
  return rows.map((row) =>
    row.map((cell, column) => column === row.length - 1 ? cell : cell.padEnd(widths![column]!))
      .join("  ")
  );
}

/** A time of RFC 3339 in UTC, for a narrow column. */
export function toTheMinute(time: string): string {
  return time.slice(0, 16).replace("T", " ");
}

/** A table for a terminal of `columns` columns: a last cell that does not fit moves to the next line. */
export function fittedTable(rows: readonly (readonly string[])[], columns: number): string[] {
  const lines = table(rows);
  const folded = lines.flatMap((line, at) => {
    const last = rows[at]!.at(-1)!;
    const fits = line.length <= columns || last === "" || at === 0;
    return fits ? [line] : [line.slice(0, line.length - last.length), `    ${last}`];
  });
  return fitted(folded.map((line) => line.trimEnd()), columns);
}

/** Cuts lines to `columns` characters, with `…` at the end. */
function fitted(lines: readonly string[], columns: number): string[] {
  return lines.map((line) => line.length > columns ? `${line.slice(0, columns - 1)}…` : line);
}

/** A time relative to now ("3 days ago"); both in milliseconds since the epoch. */
export function fromNow(at: number, now: number): string {
  const seconds = Math.floor(Math.abs(at - now) / 1000);
  return at > now ? `in ${describeSeconds(seconds)}` : `${describeSeconds(seconds)} ago`;
}
