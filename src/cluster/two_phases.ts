import { isFromFuture } from "../secret/activation_dates.ts";
import { EVENTS } from "../audit/events.ts";
import { RekeyError } from "../core/errors.ts";
import { keepCopy } from "../secret/automatic_copy.ts";
import type { Activation, Changed, Member, Preparation, Prepared } from "../secret/backend.ts";
import { refuseOneTooMany } from "../secret/grace.ts";
import { newSecret, nextUse } from "../secret/next_use.ts";
import {
  activatableFrom,
  alreadyActive,
  forcedBefore,
  lostValue,
  mustBeAsWanted,
  mustHaveBeenOut,
} from "../secret/standby.ts";
import type { Installation } from "../store/installation.ts";
import { type BaseRevision, changeShared, type Decision } from "./change.ts";
import { mustBeFollowed } from "../secret/followed.ts";
import { namesOf } from "./member_names.ts";
import { listMembers } from "./members.ts";
import { logVersion, newVersion, provenValue, succession } from "./rotate.ts";
import {
  type FleetState,
  MOST_SHARED_WINDOWS,
  nextNumber,
  preparedOf,
  retiring,
  rowOf,
  type SharedVersion,
} from "./state.ts";

// Rotation in two phases: every server has the next version before any token is signed with it.

/** Publishes the next version, unless one is prepared. Call it under the lock, after recovery. */
export async function prepareShared(
  installation: Installation,
  { reason, usage, makeValue = newSecret, permit }: Preparation,
): Promise<Prepared> {
  return await changeShared<Prepared>(installation, async (base) => {
    permit?.();
    const { state } = base;
    const prepared = preparedOf(state);
    const date = await dating(installation);
    if (prepared !== undefined && hasValue(base, prepared)) {
      mustBeAsWanted(prepared, usage);
      return dateAgain(installation, state, prepared, date);
    }
    const use = nextUse(installation, usage);
    const secret = await makeValue(use);
    const replaces = installation.versions.current()?.version ?? null;
    const about = { reason, request_id: null, replaces };
    const row = date(newVersion(installation, nextNumber(state), secret, about, use));
    // One whose value is lost makes room.
    const others = retiring(state, installation.now(), (one) => one === prepared);
    return {
      state: { ...others, versions: [...others.versions, row] },
      added: new Map([[row.kid, await provenValue(installation, row, secret)]]),
      async result(followed) {
        mustBeFollowed(followed);
        await logVersion(installation, EVENTS.rotationInitiated, row, reason ?? undefined);
        return { version: rowOf(row), made: true };
      },
    };
  });
}

/** Dates a version: verifiers get it from now on. */
type Dating = (row: SharedVersion) => SharedVersion;

// A server may hand out a set without it for as long as it accepts tokens without hearing from etcd.
async function dating(installation: Installation): Promise<Dating> {
  const members = await listMembers(installation);
  const late = members.reduce((most, { max_staleness }) => Math.max(most, max_staleness), 0);
  return (row) => {
    const now = installation.now();
    const activatable_at = activatableFrom(installation, row, now + late);
    return { ...row, published_at: now, activatable_at };
  };
}

// The clock of the machine that has prepared it was ahead.
function dateAgain(
  installation: Installation,
  state: FleetState,
  prepared: SharedVersion,
  date: Dating,
): Decision<Prepared> {
  if (!isFromFuture(prepared, installation.now())) {
    return { unchanged: { version: rowOf(prepared), made: false } };
  }
  const row = date(prepared);
  return {
    state: { ...state, versions: state.versions.map((one) => one === prepared ? row : one) },
    result(followed) {
      mustBeFollowed(followed);
      return { version: rowOf(row), made: false };
    },
  };
}

/** Makes the prepared version the current one. Call it under the lock, after recovery. */
export async function activateShared(
  installation: Installation,
  { wanted, graceMs = 0, force = false, backup = true, permit }: Activation,
): Promise<Changed> {
  let copied = !backup;
  return await changeShared(installation, async (base) => {
    permit?.();
    const row = preparedOf(base.state);
    if (row === undefined) return { unchanged: alreadyActive(installation, wanted) };
    if (!hasValue(base, row)) throw lostValue(row);
    if (graceMs > 0) refuseOneTooMany(installation, MOST_SHARED_WINDOWS);
    const members = await listMembers(installation);
    const unconfirmed = members.filter(({ prepared }) => prepared !== row.kid);
    if (unconfirmed.length > 0 && !force) throw notConfirmed(unconfirmed);
    const now = installation.now();
    if (!force) mustHaveBeenOut(row, now);
    const old = installation.versions.current();
    if (!copied && old !== undefined) await keepCopy(installation, old);
    copied = true;
    const early = forcedBefore(row, now);
    const why = [
      ...unconfirmed.length > 0 ? [`forced; not confirmed by ${namesOf(unconfirmed)}`] : [],
      ...early === undefined ? [] : [early],
    ];
    if (why.length > 0) {
      await logVersion(installation, EVENTS.rotationInitiated, row, why.join("; "));
    }
    return succession(installation, base.state, row, old, graceMs);
  });
}

// Servers may have confirmed a value that etcd has lost since: after the activation they would have none.
function hasValue({ snapshot, added }: BaseRevision, { kid }: SharedVersion): boolean {
  return snapshot?.values.has(kid) === true || added.has(kid);
}

function notConfirmed(members: readonly Member[]): RekeyError {
  return new RekeyError(
    "check_failed",
    `Cannot activate the prepared version: not confirmed by ${namesOf(members)}`,
    { hint: "Wait, or see in `rekey status` what delays them; --force activates it anyway" },
  );
}
