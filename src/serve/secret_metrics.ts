import { countOf, rotationCount, verdictCounts } from "../audit/figures.ts";
import { retrievalCounts } from "../audit/counts.ts";
import { EVENTS } from "../audit/events.ts";
import { isLastRotationSigned } from "../audit/last_signed.ts";
import { isRekeyError, TOKEN_FAULTS } from "../core/errors.ts";
import { type DeliveryProgress, progressOf } from "../deliver/sync.ts";
import { ageOf, isDue } from "../secret/age.ts";
import { HOLDER_STATES, holdersOf } from "../secret/holders.ts";
import type { SecretManager } from "../secret/manager.ts";
import { notInitialised } from "../secret/view.ts";
import type { Installation } from "../store/installation.ts";
import { knownFleet } from "../store/sqlite/meta.ts";
import { sinkFacts } from "../stream/lag.ts";
import { publicName } from "../stream/names.ts";
import type { OwnMetrics, Sample } from "./own_metrics.ts";
import type { Settings } from "./settings.ts";

/**
 * Adds what the database says of the secret. Its counters go on after a restart and a rotation, whichever process has
 * counted.
 *
 * @returns whether the database can be read.
 */
export async function addSecretMetrics(
  own: OwnMetrics,
  secrets: SecretManager,
  { maxAgeSeconds }: Settings,
): Promise<boolean> {
  try {
    secrets.refresh();
    // What the threads have reported is counted before it is read.
    await secrets.flushNotes();
    const { installation } = await secrets.open();
    const deliveries = await progressOf(installation);
    // Of one moment: a rotation is counted when its version is the current one.
    installation.database.snapshot(() => {
      addCounters(own, installation);
      const signedHelp = "1 when a signed checkpoint of the audit log covers the last rotation";
      const isSigned = isLastRotationSigned(installation.database);
      own.gauge("rekey_audit_signed", signedHelp, [isSigned ? 1 : 0]);
      addVersion(own, installation, maxAgeSeconds);
      addPrograms(own, installation, deliveries);
      addSinkMetrics(own, installation);
      addFleet(own, installation, secrets);
    });
    return true;
  } catch (error) {
    if (isRekeyError(error)) return false;
    throw error;
  }
}

function addCounters(own: OwnMetrics, { database }: Installation): void {
  // The first refusal of a kind must be an increase, so its series is there before.
  const known = Object.fromEntries(["valid", ...TOKEN_FAULTS].map((result) => [result, 0]));
  const results = Object.entries({ ...known, ...verdictCounts(database) });
  own.counter(
    "rekey_verifications_total",
    "Verified tokens by result: valid, or the error code",
    ...results.map(([result, count]): Sample => [count, { result }]),
  );
  const { keyring, database: fromDatabase, fallbacks } = retrievalCounts(database);
  own.counter(
    "rekey_retrievals_total",
    "Retrieved values by location",
    [keyring, { location: "keyring" }],
    [fromDatabase, { location: "database" }],
  );
  const fallbacksHelp = "Retrievals that used the sealed copy in place of the keyring";
  own.counter("rekey_fallbacks_total", fallbacksHelp, [fallbacks]);
  own.counter("rekey_rotations_total", "Completed rotations", [
    rotationCount(database),
  ]);
  own.counter(
    "rekey_rotation_failures_total",
    "Rotations that failed, could not begin, or were interrupted",
    [countOf(database, EVENTS.rotationFailed), { cause: "failed" }],
    [countOf(database, EVENTS.rotationBlocked), { cause: "blocked" }],
    [countOf(database, EVENTS.rotationRecovered), { cause: "interrupted" }],
  );
}

function addVersion(own: OwnMetrics, installation: Installation, maxAgeSeconds: number): void {
  const { versions, environment: { app } } = installation;
  const version = versions.current();
  if (version === undefined) throw notInitialised(app.name);
  const age = ageOf(installation, version);
  own.gauge("rekey_current_version", "Number of the current version", [version.version]);
  const since = (version.activated_at ?? version.created_at) / 1000;
  const sinceHelp = "When the current version became that, in seconds since the epoch";
  own.gauge("rekey_current_version_since_timestamp_seconds", sinceHelp, [since]);
  own.gauge("rekey_current_version_age_seconds", "Age of the current version", [age.seconds]);
  const due = isDue(age, maxAgeSeconds) ? 1 : 0;
  own.gauge("rekey_rotation_due", "1 when a rotation is due", [due]);
  const futureHelp = "1 when the current version was made in the future: the clock was ahead";
  own.gauge("rekey_current_version_in_future", futureHelp, [age.isFromFuture ? 1 : 0]);
}

function addPrograms(
  own: OwnMetrics,
  installation: Installation,
  deliveries: readonly DeliveryProgress[],
): void {
  const holders = holdersOf(installation);
  own.gauge(
    "rekey_exec_processes",
    "Running processes that exec started, by the state of their version",
    ...HOLDER_STATES.map((state): Sample => [
      holders.filter((holder) => holder.state === state).length,
      { state },
    ]),
  );
  own.gauge(
    "rekey_deliveries",
    "Programs that get keys, by whether they have followed",
    [deliveries.filter(({ isUpToDate }) => isUpToDate).length, { state: "followed" }],
    [deliveries.filter(({ isUpToDate }) => !isUpToDate).length, { state: "behind" }],
  );
}

function addFleet(own: OwnMetrics, { meta }: Installation, { environment }: SecretManager): void {
  const fleet = knownFleet(meta);
  if (fleet === undefined) return;
  own.gauge(
    "rekey_fleet_change",
    "Number of the last change of the shared state that this machine has",
    [fleet.change],
  );
  const staleness = (environment.freshness?.age() ?? Infinity) / 1000;
  const stalenessHelp = "Seconds since etcd last confirmed that nothing has changed";
  own.gauge("rekey_fleet_staleness_seconds", stalenessHelp, [staleness]);
}

function addSinkMetrics(own: OwnMetrics, installation: Installation): void {
  const facts = sinkFacts(installation);
  if (facts.length === 0) return;
  // Names without folders may be the same: the one that is further behind counts.
  const samples = (key: "lag_rows" | "lag_seconds") => {
    const most = new Map<string, number>();
    for (const one of facts) {
      const name = publicName(one.sink);
      most.set(name, Math.max(most.get(name) ?? 0, one[key]));
    }
    return [...most].map(([sink, value]): Sample => [value, { sink }]);
  };
  const rowsHelp = "Rows of the audit log that a sink has not had";
  own.gauge("rekey_audit_sink_lag_rows", rowsHelp, ...samples("lag_rows"));
  const secondsHelp = "Age of the oldest row of the audit log that a sink has not had";
  own.gauge("rekey_audit_sink_lag_seconds", secondsHelp, ...samples("lag_seconds"));
}
