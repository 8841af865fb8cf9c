import type { Installation } from "./installation.ts";

/** Leaves nothing of a destroyed or once plain value in unused pages and the write-ahead log. */
export function scrub({ database, meta }: Installation, waitMs?: number): void {
  const pending = meta.get("scrub_pending");
  if (pending === undefined) return;
  if (pending === "file") database.wipeFreePages();
  if (!database.truncateLog(waitMs)) return;
  database.transaction(() => meta.remove("scrub_pending"));
}
