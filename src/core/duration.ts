import { quoted, RekeyError } from "./errors.ts";

const UNITS: Record<string, number> = { s: 1, m: 60, h: 3_600, d: 86_400 };
const LONGEST_SECONDS = 100 * 365 * UNITS.d!;

/**
 * Reads a duration such as `90d`, `15m`, `1h30m` or `0s` and answers seconds.
 *
 * @throws {RekeyError} `usage` for anything else, a bare number included: its unit would be a guess.
 */
export function parseDuration(text: string): number {
  const whole = /^(?:\d{1,9}[smhd])+$/.test(text);
  const seconds = [...text.matchAll(/(\d+)([smhd])/g)]
    .reduce((sum, [, count, unit]) => sum + Number(count) * UNITS[unit!]!, 0);
  if (whole && seconds <= LONGEST_SECONDS) return seconds;
  throw new RekeyError("usage", `Cannot use ${quoted(text)} as a duration`, {
    hint: "Write a whole number and a unit: 30s, 15m, 12h, 90d or 1h30m, 100 years at most",
  });
}
