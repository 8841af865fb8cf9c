import type { Secret } from "../core/secret.ts";
import type { SharedVersion } from "./state.ts";
import type { HmacUsage, RotationStep } from "../secret/backend.ts";
import type { Installation } from "../store/installation.ts";
import { currentSlot } from "../core/location.ts";
import { probe } from "../secret/rotate.ts";

/** A pending version for the shared state. */
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

/** Seals a value, opens it as other machines will, and checks that it signs. @returns the sealed value. */
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
