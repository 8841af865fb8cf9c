import { EVENTS, newestHead } from "../audit/events.ts";
import { RekeyError } from "../core/errors.ts";
import { Secret } from "../core/secret.ts";
import { type BaseRevision, baseRevisionOf } from "./base_revision.ts";
import { propose, retryOnConflict } from "./commit.ts";
import { listMembers, namesOf } from "./members.ts";
import { nextNumber, preparedOf, rowOf, type SharedVersion } from "./state.ts";
import type { Installation } from "../store/installation.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { keepCopy } from "../secret/automatic_copy.ts";
import type { Activation, HmacUsage, Member } from "../secret/backend.ts";
import { type Changed, refuseOneTooMany } from "../secret/rotation.ts";
import { followOwn, notTakenOver, proposeOnce, writeDown } from "./rotate.ts";
import { MOST_SHARED_WINDOWS, newVersion, provenValue, succeeded } from "./version.ts";

// Rotation in two phases: every server has the next version before anything is signed with it.

/** Publishes the version that is to follow, unless there is one. Call it under the lock, after recovery. */
export async function prepareShared(
  installation: Installation,
  reason: string | null,
  use: HmacUsage,
): Promise<{ version: Version; made: boolean }> {
  return await retryOnConflict(async () => {
    const { state, snapshot: base, added } = await baseRevisionOf(installation);
    const there = preparedOf(state);
    if (there !== undefined) return { version: rowOf(there), made: false };
    const secret = Secret.generate();
    const current = installation.versions.current();
    const replaces = current?.version ?? null;
    const more = { reason, request_id: null, replaces };
    const row = newVersion(installation, nextNumber(state), secret, more, use);
    const values = new Map([...added, [row.kid, await provenValue(installation, row, secret)]]);
    const next = { ...state, change: state.change + 1, versions: [...state.versions, row] };
    const snapshot = await propose(installation, { base, state: next, added: values });
    if (snapshot === undefined) return undefined;
    if (!await followOwn(installation, snapshot)) throw notTakenOver();
    await writeDown(installation, EVENTS.rotationInitiated, row, reason ?? undefined);
    return { version: rowOf(row), made: true };
  });
}

/** Makes the prepared version the current one. Call it under the lock, after recovery. */
export async function activateShared(
  installation: Installation,
  { graceMs = 0, force = false, backup = true }: Activation,
): Promise<Changed> {
  let copied = !backup;
  return await retryOnConflict(async () => {
    const base = await baseRevisionOf(installation);
    const row = preparedOf(base.state);
    if (row === undefined) throw nothingPrepared();
    if (!isHeld(base, row)) throw lost(row);
    if (graceMs > 0) refuseOneTooMany(installation, MOST_SHARED_WINDOWS);
    const lacking = (await listMembers(installation)).filter(({ prepared }) =>
      prepared !== row.kid
    );
    if (lacking.length > 0 && !force) throw notEverywhere(lacking);
    const old = installation.versions.current();
    if (!copied && old !== undefined) await keepCopy(installation, old);
    copied = true;
    const why = lacking.length === 0 ? undefined : `forced; not confirmed by ${namesOf(lacking)}`;
    return await activate(installation, base, row, graceMs, why);
  });
}

// A server that holds it would say so, and have nothing to verify with after the next look.
function isHeld({ snapshot, added }: BaseRevision, { kid }: SharedVersion): boolean {
  return snapshot?.values.has(kid) === true || added.has(kid);
}

async function activate(
  installation: Installation,
  { state, snapshot: base, added }: BaseRevision,
  row: SharedVersion,
  graceMs: number,
  why: string | undefined,
): Promise<Changed | undefined> {
  const previous = installation.versions.current();
  const now = installation.now();
  const graceUntil = graceMs > 0 ? now + graceMs : null;
  if (why !== undefined) await writeDown(installation, EVENTS.rotationInitiated, row, why);
  const next = succeeded(state, row, graceUntil, now);
  const published = await proposeOnce(installation, { base, state: next, added }, row.kid);
  if (published === undefined) return undefined;
  const version = installation.versions.byKid(row.kid) ?? rowOf({ ...row, state: "current" });
  const head = newestHead(installation.database);
  return { rotated: true, version, previous, graceUntil, published, logWhole: true, head };
}

function lost({ version }: SharedVersion): RekeyError {
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

function notEverywhere(lacking: readonly Member[]): RekeyError {
  return new RekeyError(
    "check_failed",
    `Cannot activate the prepared version: not confirmed by ${namesOf(lacking)}`,
    { hint: "Wait, or see `rekey status` what keeps them; --force activates it all the same" },
  );
}
