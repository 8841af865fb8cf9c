/** Formats for numbers, durations and times, and plain words for codes. */

export const count = (number) => number.toLocaleString("en");
export const plural = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;

const UNITS = [["day", 86_400], ["hour", 3_600], ["minute", 60], ["second", 1]];

/** @param parts how many units: two make "3 days 4 hours". */
export function duration(seconds, parts = 2) {
  let rest = Math.max(0, Math.floor(seconds));
  const largest = UNITS.findIndex(([, size]) => rest >= size);
  if (largest === -1) return "0 seconds";
  const words = UNITS.slice(largest, largest + parts).map(([unit, size]) => {
    const units = Math.floor(rest / size);
    rest -= units * size;
    return units === 0 ? "" : plural(units, unit);
  });
  return words.join(" ").trim();
}

/** UTC, as on rekey's command line. */
export const utc = (instant) => instant.replace("T", " ").replace(/(?:\.\d+)?Z$/, " Z");

/** The hour and minute of an instant, or its day. @param at milliseconds since the epoch. */
export function clockTime(at, isDay) {
  const text = new Date(at).toISOString();
  return isDay ? text.slice(5, 10) : text.slice(11, 16);
}

export function percent(share) {
  const text = (share * 100).toFixed(1);
  // Rounding must not hide one failure in ten thousand.
  if (share > 0 && text === "0.0") return "< 0.1 %";
  if (share < 1 && text === "100.0") return "> 99.9 %";
  return `${text} %`;
}

/** A duration with three digits. @param ms milliseconds. */
export function milliseconds(ms) {
  if (ms >= 1000) return `${(ms / 1000).toFixed(2)} s`;
  return `${ms.toFixed(ms < 10 ? 2 : ms < 100 ? 1 : 0)} ms`;
}

const REFUSALS = {
  malformed: "it is not a JWT",
  too_large: "it is longer than a token may be",
  alg_not_allowed: "it names an algorithm that its version does not use",
  unknown_kid: "its key was never one of rekey's",
  retired_kid: "the version that signed it was rotated away",
  bad_signature: "its signature is wrong: forged, or changed on the way",
  expired: "its time is over",
  not_yet_valid: "its time has not come yet",
  claim_mismatch: "a claim is not what was asked for",
  revoked: "its session was ended",
};

/** What a refusal's code means. */
export const inWords = (code) => REFUSALS[code] ?? "rekey's list of error codes explains it";
