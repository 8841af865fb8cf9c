import { LogCheckpoints, type LogKeys, logSigner } from "../audit/log_checkpoints.ts";
import { isRekeyError } from "../core/errors.ts";
import type { Installation } from "../store/installation.ts";

/** The keys that sign the checkpoints of an installation's log. */
export function logKeysOf(installation: Installation, auditKey: Uint8Array): LogKeys {
  const origin = `rekey/${installation.environment.app.name}/${installation.id()}`;
  return { auditKey, signer: logSigner(auditKey, origin) };
}

// Rows that are read for a checkpoint at most, so that a change does not wait for a long log: a fifth of a second or so.
const MOST_ROWS = 50_000;

/**
 * Signs the audit log after work that has written to it. The work stands whatever happens here: a later change signs its
 * rows too. A log that is broken is not signed; `audit verify`, `audit checkpoint` and `doctor` say so.
 */
export function signLog(installation: Installation): void {
  const key = installation.auditKey.known;
  if (key === undefined) return;
  try {
    const checkpoints = new LogCheckpoints(installation.database);
    checkpoints.make(logKeysOf(installation, key), MOST_ROWS);
  } catch (error) {
    if (!isRekeyError(error)) throw error;
  }
}
