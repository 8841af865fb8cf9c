import { codesOf, EXIT_STATUSES } from "../../core/errors.ts";
import backups from "./backups.txt" with { type: "text" };
import concepts from "./concepts.txt" with { type: "text" };
import fleet from "./fleet.txt" with { type: "text" };
import proxies from "./proxies.txt" with { type: "text" };
import rotation from "./rotation.txt" with { type: "text" };
import security from "./security.txt" with { type: "text" };
import storage from "./storage.txt" with { type: "text" };

/** Names of the pages of `rekey help`; the pages themselves are loaded when one is asked for. */
export const TOPICS = [
  "concepts",
  "storage",
  "rotation",
  "security",
  "fleet",
  "backups",
  "proxies",
  "exit-codes",
] as const;

/**
 * Pages of `rekey help TOPIC`: the first line is the title, lines in capitals are headings, indented lines are verbatim.
 */
export const PAGES: Readonly<Record<typeof TOPICS[number], string>> = {
  concepts,
  storage,
  rotation,
  security,
  fleet,
  backups,
  proxies,
  "exit-codes": exitCodes(),
};

function exitCodes(): string {
  const lines = Object.entries(EXIT_STATUSES).flatMap(([status, meaning]) => [
    `  ${status.padEnd(4)} ${meaning}`,
    ...codesOf(Number(status)).map((code) => `         ${code}`),
  ]);
  return [
    "Exit statuses and error codes, for scripts",
    "",
    "STATUSES",
    "Each with the codes that a failed command prints with --json:",
    ...lines,
    "",
    "`rekey exec` ends as its program does.\n",
  ].join("\n");
}
