/** What programs hold, what a sink has had, and how much was asked, are facts of one machine at one time: no backup has them. */
export const OF_THIS_MACHINE: readonly string[] = [
  "rekey_delivery_states",
  "rekey_audit_sinks",
  "rekey_history",
];

/** Writes the facts about a backup into it, as its table `rekey_backup`. Leaves out those that are `undefined`. */
export function writeBackupTable(
  copy: BackupFile,
  info: Readonly<Record<string, string | undefined>>,
): void {
  copy.prepare("CREATE TABLE rekey_backup (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT")
    .run();
  const insert = copy.prepare("INSERT INTO rekey_backup VALUES (?, ?)");
  for (const [key, value] of Object.entries(info)) {
    if (value !== undefined) insert.run(key, value);
  }
}

/** What is needed of the file: SQLite's own connection and rekey's have it. */
interface BackupFile {
  prepare(sql: string): { run(...values: string[]): unknown };
}
