import { InvalidArgumentError } from "commander";
import { parseInstant } from "../../core/clock.ts";
import { duration } from "./values.ts";

// Parsers of flag values that are times.

/** Milliseconds since the epoch: a duration counts back from now. */
export function instant(text: string): number {
  if (/^\d+[smhd]/.test(text)) return Date.now() - duration(text) * 1000;
  const parsed = parseInstant(text);
  if (!Number.isNaN(parsed)) return parsed;
  throw new InvalidArgumentError("Write 24h, 2026-11-23 or 2026-11-23T03:00:00Z.");
}

/** A time of day, by the clock of this machine (its time zone). */
export function timeOfDay(text: string): { hour: number; minute: number } {
  const [, hour, minute] = TIME_OF_DAY.exec(text) ?? [];
  if (minute !== undefined) return { hour: Number(hour), minute: Number(minute) };
  throw new InvalidArgumentError("Write a time of day, in local time, as 03:00.");
}

const TIME_OF_DAY = /^([01]?\d|2[0-3]):([0-5]\d)$/;

// In an hour that the clocks skip, the same minute of the next hour; in a repeated hour, the first.
function nextTime({ hour, minute }: { hour: number; minute: number }): number {
  const now = new Date();
  const on = (days: number) =>
    new Date(now.getFullYear(), now.getMonth(), now.getDate() + days, hour, minute).getTime();
  return on(0) > now.getTime() ? on(0) : on(1);
}

/**
 * A future time, in milliseconds since the epoch: a duration counts from now, a time of day is the next such local time.
 */
export function moment(text: string): number {
  if (/^\d+:/.test(text)) return nextTime(timeOfDay(text));
  if (/^\d+[smhd]/.test(text)) return Date.now() + duration(text) * 1000;
  if (!/^\d{4}-/.test(text)) {
    throw new InvalidArgumentError(
      "Write 30m (from now), 03:00 (the next, local time), or a date and time as RFC 3339 has them.",
    );
  }
  const at = instant(text);
  if (at >= Date.now()) return at;
  throw new InvalidArgumentError("That time has passed.");
}
