import { rfc3339 } from "../core/clock.ts";
import type { HookFacts } from "./hook.ts";

/** The kinds of notices. */
export type NoticeType =
  | "rotation.completed"
  | "rotation.announced"
  | "rotation.cancelled"
  | "rotation.failed"
  | "rotation.blocked";

/** What others are told: names and times, nothing secret. */
export interface Notice {
  readonly type: NoticeType;
  /** RFC 3339. */
  readonly timestamp: string;
  readonly data: HookFacts;
}

/** A notice of now. */
export function noticeOf(type: NoticeType, data: HookFacts): Notice {
  return { type, timestamp: rfc3339(Date.now()), data };
}

/** Whether a person has to do something. */
export function isAlarm({ type }: Notice): boolean {
  return type === "rotation.failed" || type === "rotation.blocked";
}

/** One line that says what has happened. */
export function noticeTitle({ type, data }: Notice): string {
  const secret = `the JWT secret of ${data.app} on ${data.host}`;
  switch (type) {
    case "rotation.completed":
      return `rekey rotated ${secret}`;
    case "rotation.announced":
      return `rekey will rotate ${secret} at ${data.at}`;
    case "rotation.cancelled":
      return `rekey will not rotate ${secret}: the announced rotation was cancelled`;
    case "rotation.failed":
      return `rekey failed to rotate ${secret}`;
    case "rotation.blocked":
      return data.due
        ? `rekey cannot rotate ${secret}, although a rotation is due`
        : `rekey will not be able to rotate ${secret} when it is due`;
  }
}

/** The same with the other facts, a line each. */
export function noticeText(notice: Notice): string {
  const { data } = notice;
  const lines = [
    noticeTitle(notice),
    data.version === null ? null : `Version ${data.version} (kid ${data.kid}), in ${data.location}`,
    endOf(data),
    data.error === undefined ? null : `Why: ${data.error}`,
    data.hint === undefined || data.hint === null ? null : `What to do: ${data.hint}`,
    data.reason === null ? null : `Reason given: ${data.reason}`,
  ];
  return lines.filter((line) => line !== null).join("\n");
}

function endOf({ previous_version, grace_until }: HookFacts): string | null {
  if (previous_version === undefined || previous_version === null) return null;
  return grace_until === null
    ? `Version ${previous_version} no longer verifies: all sessions have ended`
    : `Version ${previous_version} verifies until ${grace_until}`;
}
