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
 * rows too.
 *
 * @returns a warning when the log is broken, and therefore is not signed any more.
 */
export function signLog(installation: Installation): string | undefined {
  const key = installation.auditKey.known;
  if (key === undefined) return undefined;
  try {
    const checkpoints = new LogCheckpoints(installation.database);
    checkpoints.make(logKeysOf(installation, key), MOST_ROWS);
    return undefined;
  } catch (error) {
    if (!isRekeyError(error)) throw error;
    // Anything else passes: a full disk, or a database that is busy.
    if (error.code !== "check_failed") return undefined;
    return `${error.message}. It is not signed from here on: see \`rekey audit verify\``;
  }
}
