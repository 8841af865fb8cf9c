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
