/** How often tokens are valid, and how often the keyring is not there. */
import { bars } from "./chart.js";
import { setText } from "./dom.js";
import { percent, plural } from "./text.js";

export function showRates({ success_rate, verifications, fallback_rate, retrievals }) {
  const { valid = 0, ...refused } = verifications;
  const rows = Object.entries(refused).sort(([, one], [, other]) => other - one);
  const verified = rows.reduce((sum, [, number]) => sum + number, valid);
  showRate(
    "results",
    success_rate,
    "Success rate",
    `of ${plural(verified, "verification")} found a valid token`,
    [
      ["valid", valid, "good"],
      ...rows.map((row) => [...row, "bad"]),
    ],
  );
  const { keyring, database } = retrievals;
  const retrieved = `of ${plural(keyring + database, "retrieval")} fell back from the keyring`;
  showRate("fallback", fallback_rate, "Fallback rate", retrieved, [
    ["keyring", keyring, "keyring"],
    ["database", database, "database"],
  ]);
}

function showRate(chart, share, name, text, rows) {
  const figure = share === null ? "none yet" : percent(share);
  setText(`${chart}-figure`, figure);
  setText(`${chart}-text`, share === null ? "" : text);
  bars(`${chart}-chart`, `${name}: ${figure}. Counts:`, rows);
}
