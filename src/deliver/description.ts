import { rfc3339 } from "../core/clock.ts";
import type { Installation } from "../store/installation.ts";
import { probeWay } from "./delivery.ts";
import type { DeliveryProgress } from "./sync.ts";

/** A delivery for `--json`, the status page and monitors. Holds names, paths and times, no value. */
export interface DeliveryFacts {
  readonly name: string;
  readonly preset: string;
  readonly role: "verifier" | "signer";
  readonly path: string;
  /** Whether the program holds what it should hold, as far as is known. */
  readonly followed: boolean;
  /** Whether the program is asked. If it is not, it counts as having followed once its file is written and it is told. */
  readonly probed: boolean;
  /** Version with which the program signs or verifies first; `null` if it holds no known one. */
  readonly version: number | null;
  readonly wanted: readonly string[];
  readonly written: readonly string[];
  readonly confirmed: readonly string[];
  /** How long it has been behind, in seconds; `null` if it is not. */
  readonly lag_seconds: number | null;
  /** RFC 3339. */
  readonly followed_at: string | null;
  readonly failed_at: string | null;
  readonly failure: string | null;
}

/** Facts about deliveries. */
export function describeDeliveries(
  installation: Installation,
  progress: readonly DeliveryProgress[],
): DeliveryFacts[] {
  const now = installation.now();
  return progress.map(({ delivery, wanted, isUpToDate, behindSince }) => {
    const { name, settings: { preset, role, path }, state } = delivery;
    const { written, confirmed, followed_at, failed_at, failure } = state;
    const versions = confirmed.flatMap((kid) => installation.versions.byKid(kid)?.version ?? []);
    return {
      name,
      preset,
      role,
      path,
      followed: isUpToDate,
      probed: probeWay(delivery) !== undefined,
      version: versions.length === 0 ? null : Math.max(...versions),
      wanted,
      written,
      confirmed,
      lag_seconds: behindSince === null
        ? null
        : Math.max(0, Math.floor((now - behindSince) / 1000)),
      followed_at: time(followed_at),
      failed_at: time(failed_at),
      failure,
    };
  });
}

const time = (at: number | null) => at === null ? null : rfc3339(at);
