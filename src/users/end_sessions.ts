import type { AuditEvent } from "../audit/events.ts";
import { isRekeyError, RekeyError } from "../core/errors.ts";
import { verifyingNumbers } from "../secret/grace.ts";
import type { SecretManager } from "../secret/manager.ts";
import type { Session } from "../store/sqlite/ended_sessions.ts";
import type { Installation } from "../store/installation.ts";
import { changeUsers } from "./change.ts";
import { Sessions } from "./sessions.ts";

/**
 * Changes users and ends all their sessions in one transaction. The other machines are told first, so that nothing has
 * changed here if that fails; afterwards they are told of sessions that were opened in between.
 *
 * @returns how many sessions were open.
 * @throws {RekeyError} `etcd_…` when the other machines cannot be told; the error says what has changed.
 */
export async function endAllOf(
  secrets: SecretManager,
  names: readonly string[],
  event: AuditEvent,
  reasons: readonly string[],
  change: (installation: Installation, now: number) => void = () => {},
): Promise<number> {
  const told = new Set<string>();
  const open = new Set<string>();
  await secrets.shareEnded((installation, now) => {
    const all = endedNow(installation, names, now, open);
    all.forEach(({ jti }) => told.add(jti));
    return all;
  });
  const late = await changeUsers(
    secrets,
    (installation, now) => {
      const all = endedNow(installation, names, now, open);
      change(installation, now);
      names.forEach((name) => new Sessions(installation.database).revokeAll(name, now));
      return all.filter(({ jti }) => !told.has(jti));
    },
    event,
    ...reasons,
  );
  await tellOfLate(secrets, late);
  return open.size;
}

/**
 * The sessions of users that have neither expired nor been ended by themselves, marked as revoked now.
 *
 * @param open gets the jti of those whose tokens verify until now.
 */
function endedNow(
  installation: Installation,
  names: readonly string[],
  now: number,
  open: Set<string>,
): Session[] {
  const sessions = new Sessions(installation.database);
  const verifying = verifyingNumbers(installation);
  const all = names.flatMap((name) => sessions.open(name, now));
  for (const { jti, version } of all) if (verifying.has(version)) open.add(jti);
  return all.map((row) => ({ ...row, revoked_at: now }));
}

/** Tells other machines of sessions that were opened after they were told the first time. */
async function tellOfLate(secrets: SecretManager, late: readonly Session[]): Promise<void> {
  try {
    if (late.length > 0) await secrets.shareEnded(() => late);
  } catch (error) {
    throw isRekeyError(error) ? endedHereOnly(error) : error;
  }
}

function endedHereOnly(cause: RekeyError): RekeyError {
  return new RekeyError(
    cause.code,
    `${cause.message}; the change is made here, but a session opened just now may continue on other machines`,
    {
      hint: "Run `rekey session revoke --user NAME` once etcd answers",
      cause,
    },
  );
}
