import { EVENTS } from "../audit/events.ts";
import { RekeyError } from "../core/errors.ts";
import { Secret } from "../core/secret.ts";
import { keepCopy } from "../secret/automatic_copy.ts";
import type { Activation, Changed, HmacUsage, Member } from "../secret/backend.ts";
import { refuseOneTooMany } from "../secret/grace.ts";
import type { Installation } from "../store/installation.ts";
import type { Version } from "../store/sqlite/versions.ts";
import type { BaseRevision } from "./base_revision.ts";
import { changeShared, mustBeFollowed } from "./change.ts";
import { listMembers, namesOf } from "./members.ts";
import { newVersion, provenValue } from "./new_version.ts";
import { logVersion, succession } from "./rotate.ts";
import { MOST_SHARED_WINDOWS, nextNumber, preparedOf, rowOf, type SharedVersion } from "./state.ts";

// Rotation in two phases: every server has the next version before any token is signed with it.

interface Prepared {
  readonly version: Version;
  /** Whether this call made it. */
  readonly made: boolean;
}

/** Publishes the next version, unless one is prepared. Call it under the lock, after recovery. */
export async function prepareShared(
  installation: Installation,
  reason: string | null,
  usage: HmacUsage,
): Promise<Prepared> {
  return await changeShared<Prepared>(installation, async ({ state }) => {
    const prepared = preparedOf(state);
    if (prepared !== undefined) return { unchanged: { version: rowOf(prepared), made: false } };
    const secret = Secret.generate();
    const replaces = installation.versions.current()?.version ?? null;
    const about = { reason, request_id: null, replaces };
    const row = newVersion(installation, nextNumber(state), secret, about, usage);
    return {
      state: { ...state, versions: [...state.versions, row] },
      added: new Map([[row.kid, await provenValue(installation, row, secret)]]),
      async result(followed) {
        mustBeFollowed(followed);
        await logVersion(installation, EVENTS.rotationInitiated, row, reason ?? undefined);
        return { version: rowOf(row), made: true };
      },
    };
  });
}

/** Makes the prepared version the current one. Call it under the lock, after recovery. */
export async function activateShared(
  installation: Installation,
  { graceMs = 0, force = false, backup = true }: Activation,
): Promise<Changed> {
  let copied = !backup;
  return await changeShared(installation, async (base) => {
    const row = preparedOf(base.state);
    if (row === undefined) throw nothingPrepared();
    if (!hasValue(base, row)) throw lostValue(row);
    if (graceMs > 0) refuseOneTooMany(installation, MOST_SHARED_WINDOWS);
    const members = await listMembers(installation);
    const unconfirmed = members.filter(({ prepared }) => prepared !== row.kid);
    if (unconfirmed.length > 0 && !force) throw notConfirmed(unconfirmed);
    const old = installation.versions.current();
    if (!copied && old !== undefined) await keepCopy(installation, old);
    copied = true;
    if (unconfirmed.length > 0) {
      const reason = `forced; not confirmed by ${namesOf(unconfirmed)}`;
      await logVersion(installation, EVENTS.rotationInitiated, row, reason);
    }
    return succession(installation, base.state, row, old, graceMs);
  });
}

// Servers may have confirmed a value that etcd has lost since: after the activation they would have none.
function hasValue({ snapshot, added }: BaseRevision, { kid }: SharedVersion): boolean {
  return snapshot?.values.has(kid) === true || added.has(kid);
}

function lostValue({ version }: SharedVersion): RekeyError {
  return new RekeyError(
    "secret_missing",
    `Cannot activate the prepared version ${version}: its value is lost`,
    {
      hint:
        "`rekey rotate --force` makes another one; a machine that has the value may activate it",
    },
  );
}

function nothingPrepared(): RekeyError {
  return new RekeyError("failed", "Cannot activate a version: none is prepared", {
    hint: "`rekey rotate --prepare` first",
  });
}

function notConfirmed(members: readonly Member[]): RekeyError {
  return new RekeyError(
    "check_failed",
    `Cannot activate the prepared version: not confirmed by ${namesOf(members)}`,
    { hint: "Wait, or see in `rekey status` what delays them; --force activates it anyway" },
  );
}
