import type { Head } from "../audit/events.ts";
import { verifyChain } from "../audit/verify_chain.ts";
import type { Installation } from "../store/installation.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { keptHead } from "./keyring/reconcile.ts";

/**
 * Verifies the whole audit log, up to the known heads: that in the keyring's note, and another one.
 *
 * @param current the current version.
 * @param onProgress called with the number of rows every 10,000 rows.
 * @throws {RekeyError} a `kek_…` code without the log's key, `busy` when the log is pruned all the time.
 */
export async function verifyLog(
  installation: Installation,
  current: Version,
  onProgress: (rows: number) => void,
  another?: Head,
) {
  const key = await installation.auditKey.read();
  const { head: kept, unavailable } = await keptHead(installation, current);
  const expected = [another, kept].filter((one) => one != null);
  return { ...verifyChain(installation.database, key, expected, onProgress), kept, unavailable };
}
