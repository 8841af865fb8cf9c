import type { Secret } from "../core/secret.ts";
import {
  type FleetState,
  MOST_SHARED_VERSIONS,
  retiring,
  type SharedVersion,
  withoutExpired,
} from "./state.ts";
import type { HmacUsage } from "../secret/backend.ts";
import type { Installation } from "../store/installation.ts";
import { currentSlot } from "../core/secret_store.ts";
import { probe, type RotationStep } from "../secret/rotation.ts";

/** How many grace windows can be open: the current version and a prepared one have values too. */
export const MOST_SHARED_WINDOWS = MOST_SHARED_VERSIONS - 2;

/** A version that no one uses yet. */
export function newVersion(
  { environment, algorithm, keyForm }: Installation,
  version: number,
  { kid }: Secret,
  more: Pick<SharedVersion, "reason" | "request_id" | "replaces">,
  use: HmacUsage = {},
): SharedVersion {
  return {
    version,
    kid,
    state: "pending",
    origin: "generated",
    alg: use.alg ?? algorithm,
    key_form: use.keyForm ?? keyForm,
    created_at: environment.clock(),
    activated_at: null,
    retired_at: null,
    grace_until: null,
    ...more,
    by: environment.actor,
  };
}

/** Seals a value, opens it as other machines will, and lets it sign. */
export async function provenValue(
  installation: Installation,
  row: SharedVersion,
  secret: Secret,
  onStep: (step: RotationStep) => void = () => {},
): Promise<string> {
  const store = installation.shared();
  const sealed = await store.seal(currentSlot(row), secret);
  const opened = await store.open(currentSlot(row), sealed);
  onStep("write");
  await probe(opened, row);
  onStep("probe");
  return sealed;
}

/** The state after a version has become the current one. */
export function succeeded(
  before: FleetState,
  next: SharedVersion,
  graceUntil: number | null,
  now: number,
): FleetState {
  const state = withoutExpired(before, now);
  const kept = state.versions.filter(({ kid }) => kid !== next.kid).map((row) =>
    row.state === "current" && graceUntil !== null
      ? { ...row, state: "previous" as const, grace_until: graceUntil }
      : row
  );
  // Without a grace window all sessions end, those of older windows too; what was prepared is no longer the next one.
  const ended = retiring(
    { ...state, versions: kept },
    now,
    (row) => row.state === "pending" || graceUntil === null,
    { by: next.by, why: "rotated away" },
  );
  const current = { ...next, state: "current" as const, activated_at: now };
  const { alg, key_form } = next;
  const change = before.change + 1;
  return { ...ended, change, alg, key_form, versions: [current, ...ended.versions] };
}
