/** Formats for numbers, durations and times. */

export const count = (number) => number.toLocaleString("en");
export const plural = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;

const UNITS = [["day", 86_400], ["hour", 3_600], ["minute", 60], ["second", 1]];

export function duration(seconds) {
  let rest = Math.max(0, Math.floor(seconds));
  const largest = UNITS.findIndex(([, size]) => rest >= size);
  if (largest === -1) return "0 seconds";
  const parts = UNITS.slice(largest, largest + 2).map(([unit, size]) => {
    const units = Math.floor(rest / size);
    rest -= units * size;
    return units === 0 ? "" : plural(units, unit);
  });
  return parts.join(" ").trim();
}

/** UTC, as on rekey's command line. */
export const utc = (instant) => instant.replace("T", " ").replace(/(?:\.\d+)?Z$/, " Z");

export function percent(share) {
  const text = (share * 100).toFixed(1);
  // Rounding must not hide one failure in ten thousand.
  if (share > 0 && text === "0.0") return "< 0.1 %";
  if (share < 1 && text === "100.0") return "> 99.9 %";
  return `${text} %`;
}
