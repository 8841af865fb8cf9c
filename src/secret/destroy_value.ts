import { sealedSlot } from "../core/location.ts";
import type { Installation } from "../store/installation.ts";
import type { Version } from "../store/sqlite/versions.ts";

/**
 * Inside a transaction: retires a version and deletes its sealed value from the database. After the commit `scrub`
 * removes the value from the write-ahead log, and `reconcile` from the keyring.
 *
 * @param now milliseconds since the epoch.
 */
export function destroyValue(
  { versions, sealed, meta }: Installation,
  row: Version,
  now: number,
): void {
  sealed.drop(sealedSlot(row));
  versions.retire(row, now);
  meta.set("scrub_pending", "log");
}
