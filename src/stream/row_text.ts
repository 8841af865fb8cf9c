import { type AuditRow, EVENTS, RETRIEVALS } from "../audit/events.ts";
import { printable } from "../core/encoding.ts";

/** Severities of syslog (RFC 5424 §6.2.1), which the journal's PRIORITY has too. */
const [WARNING, NOTICE, INFORMATIONAL] = [4, 5, 6];

const WARNINGS: readonly string[] = [
  EVENTS.rotationRecovered,
  EVENTS.rotationFailed,
  EVENTS.rotationBlocked,
  EVENTS.noticeFailed,
  EVENTS.retrievedAsFallback,
  EVENTS.deliveryFailed,
  EVENTS.storageError,
  EVENTS.keyringError,
];

/** Security and authorisation messages, private (RFC 5424 §6.2.1). */
export const FACILITY = 10;

/** Name of the program for those who receive rows. */
export const IDENTIFIER = "rekey";

/** How urgent a row is: 4 (warning) to 6 (informational). */
export function severityOf({ event }: AuditRow): number {
  if (WARNINGS.includes(event)) return WARNING;
  return RETRIEVALS.includes(event) ? INFORMATIONAL : NOTICE;
}

/** A row as one line for people. */
export function messageOf({ event, version, kid, location, actor, reason }: AuditRow): string {
  const what = version === null ? "" : `: version ${version}`;
  const details = [kid === null ? "" : `kid ${kid}`, location ?? ""].filter((one) => one !== "");
  const place = details.length === 0 ? "" : ` (${details.join(", ")})`;
  const why = reason === null || reason === "" ? "" : `: ${reason}`;
  return shortened(printable(`${event}${what}${place} by ${actor}${why}`));
}

/** The columns of a row that are not empty, and the app, as names and texts. Unlike a message they are as they were. */
export function fieldsOf(app: string, row: AuditRow): [name: string, value: string][] {
  const { seq, time, event, version, kid, location, duration, actor, reason, hash } = row;
  const fields = {
    app,
    seq,
    time,
    event,
    version,
    kid,
    location,
    duration_us: duration,
    actor,
    reason,
    hash,
  };
  return Object.entries(fields).filter(([, value]) => value !== null)
    .map(([name, value]) => [name, shortened(String(value))]);
}

// A datagram that is larger than the socket's memory (208 KiB on Linux) is never taken: it would hold up all that follow.
const MOST_CHARACTERS = 8_192;

function shortened(text: string): string {
  return text.length <= MOST_CHARACTERS
    ? text
    : `${text.slice(0, MOST_CHARACTERS).toWellFormed()}...`;
}
