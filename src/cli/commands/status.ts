import type { Location } from "../../core/location.ts";
import { fallbackRate } from "../../audit/counts.ts";
import { lastRotation } from "../../audit/reader.ts";
import { rfc3339 } from "../../core/clock.ts";
import type { DeliveryFacts } from "../../deliver/description.ts";
import { Deliveries } from "../../store/sqlite/deliveries.ts";
import { type SinkFacts, sinkFacts } from "../../stream/lag.ts";
import { isRekeyError, RekeyError } from "../../core/errors.ts";
import { type Algorithm, isHmac, modulusBits } from "../../core/algorithms.ts";
import type { KeyForm } from "../../core/secret.ts";
import { describeGrace, inGrace } from "../../secret/grace.ts";
import { activeIn } from "../../auth/manager.ts";
import { ageOf, fromFuture, isDue } from "../../secret/age.ts";
import { type PreparedFacts, preparedFacts } from "../../secret/prepared_facts.ts";
import { announced } from "../../secret/announcement.ts";
import { ofSameVersions, versionsMark } from "../../secret/same_versions.ts";
import { Installation } from "../../store/installation.ts";
import type { Version } from "../../store/sqlite/versions.ts";
import type { Context } from "../context.ts";
import { describePolicy } from "../policy_line.ts";
import type { FleetFacts } from "../fleet_facts.ts";
import { human, monitored } from "../status_lines.ts";
import { staleProcesses } from "../stale_processes.ts";
import { describeHolders } from "../../secret/holders.ts";
import { describeSeconds, describeVersion, mayBeMore, printable, table } from "../format.ts";

/** Flags of `rekey status`. */
export interface StatusOptions {
  readonly check?: boolean;
  /** Seconds. */
  readonly maxAge: number;
}

/** Shows the secret's state. It reads the value, so that an unavailable secret is an error. */
export async function status(options: StatusOptions, context: Context): Promise<void> {
  try {
    await show(options, context);
  } catch (error) {
    if (!isRekeyError(error) || error.code === "check_failed") throw error;
    if (error.code === "not_initialised") {
      if (options.check && !context.output.options.json) {
        context.output.result({}, [unavailableLine(error)]);
      }
      throw error;
    }
    const { facts, lines } = await known(options, context, error);
    context.output.result(facts, options.check ? [unavailableLine(error)] : lines);
    throw error;
  }
}

/** What the database shows when the secret is not available. Nothing is changed. */
async function known(options: StatusOptions, { secrets }: Context, error: RekeyError) {
  const { environment } = secrets;
  const { code, message, hint } = error;
  const why = { error: { code, message, hint: hint ?? null } };
  const unavailable = ["secret", `not available: ${code}`];
  try {
    const installation = Installation.openAsFound(environment);
    if (installation === undefined) throw error;
    // Not `using`: closing a damaged database throws again, and a SuppressedError is not a RekeyError.
    try {
      const seen = await ofSameVersions(
        () => versionsMark(installation),
        () => factsWithoutValue(installation, options, error),
      );
      const facts = { ...seen, ...why };
      return { facts, lines: human(facts, installation.policy, [], { first: [unavailable] }) };
    } finally {
      installation.close();
    }
  } catch (trouble) {
    // The database cannot be read.
    if (!isRekeyError(trouble)) throw trouble;
    const [app, database] = [environment.app.name, Installation.path(environment)];
    const lines = table([["app", app], ["database", printable(database)], unavailable]);
    return { facts: { app, database, ...why }, lines };
  }
}

/** @throws `error` without a version. */
async function factsWithoutValue(
  installation: Installation,
  { maxAge }: StatusOptions,
  error: RekeyError,
) {
  const version = installation.versions.current();
  if (version === undefined) throw error;
  const grace = inGrace(installation);
  const active = activeIn(installation, [version, ...grace]);
  return {
    ...await ownFacts(installation, version, grace, maxAge),
    ...{ read_from: null, stale_processes: [] },
    ...{ sessions_active: active, sessions_more: mayBeMore(active) },
  };
}

// Monitors show the line on stdout.
function unavailableLine({ message }: RekeyError): string {
  return `REKEY CRITICAL - ${printable(message)}`;
}

async function show(options: StatusOptions, context: Context): Promise<void> {
  const { secrets, output } = context;
  const { facts, version, policy, stale, rows } = await ofSameVersions(
    async () => versionsMark((await secrets.open()).installation),
    () => look(options, context),
  );
  output.result(
    facts,
    options.check
      ? [monitored(facts, options.maxAge)]
      : human(facts, policy, stale, { last: rows }),
  );
  if (version.location === "keyring" && facts.read_from !== version.location) {
    output.warning(`the keyring cannot be used; the sealed copy serves`);
  }
  if (options.check && facts.rotation_due) throw rotationDue(version, facts);
}

async function look({ maxAge }: StatusOptions, { secrets, auth }: Context) {
  const { from } = await secrets.get();
  const { installation, version } = await secrets.open();
  const [, ...grace] = await secrets.verifying();
  const stale = await staleProcesses(secrets);
  const { facts: fleet, rows } = await fleetOf(installation, version);
  const active = await auth.activeSessions();
  const facts = {
    ...await ownFacts(installation, version, grace, maxAge),
    read_from: from,
    sessions_active: active,
    sessions_counted: "issued by rekey",
    sessions_more: mayBeMore(active),
    stale_processes: describeHolders(stale),
    ...fleet,
  };
  return { facts, version, policy: installation.policy, stale, rows };
}

function rotationDue(
  version: Version,
  { created_at, created_in_future, age_seconds }: Awaited<ReturnType<typeof ownFacts>>,
): RekeyError {
  const what = created_in_future
    ? `The age is not known: ${fromFuture(version, created_at)}`
    : `Version ${version.version} is ${describeSeconds(age_seconds)} old`;
  return new RekeyError("check_failed", `${what}: a rotation is due`, {
    hint: created_in_future ? "Set the clock, then run `rekey rotate`" : "Run `rekey rotate`",
  });
}

/** Facts from the database alone, without the secret's value and without etcd. */
async function ownFacts(
  installation: Installation,
  version: Version,
  grace: readonly Version[],
  maxAge: number,
) {
  const age = ageOf(installation, version);
  return {
    ...describeVersion(installation.environment.app.name, version),
    ...describeShape(version),
    age_seconds: age.seconds,
    created_in_future: age.isFromFuture,
    rotation_due: isDue(age, maxAge),
    rotation_announced: announcedText(installation),
    grace: grace.map(describeGrace),
    prepared: preparedFacts(installation),
    policy: describePolicy(installation.policy),
    kek: await kekFacts(installation),
    fallback_rate: fallbackRate(installation.database),
    last_rotation: lastRotation(installation.database),
    deliveries: await deliveryFacts(installation),
    audit_sinks: sinkFacts(installation),
  };
}

async function deliveryFacts(installation: Installation): Promise<DeliveryFacts[]> {
  if (new Deliveries(installation.database).count() === 0) return [];
  const { progressOf } = await import("../../deliver/sync.ts");
  const { describeDeliveries } = await import("../../deliver/description.ts");
  return describeDeliveries(installation, await progressOf(installation));
}

/** Nothing, when this machine's secret is its own. */
async function fleetOf(
  installation: Installation,
  { location }: Version,
): Promise<{ facts: { fleet?: FleetFacts }; rows: string[][] }> {
  if (location !== "etcd") return { facts: {}, rows: [] };
  const { fleetFacts, fleetRows } = await import("../fleet_facts.ts");
  const fleet = await fleetFacts(installation);
  return { facts: { fleet }, rows: fleetRows(fleet) };
}

/** Length in bytes and encoding of an HMAC secret that rekey made (of another one they are not known); bits of RSA. */
function describeShape({ origin, alg, bytes, encoding, token_kid }: Version) {
  const isKnown = origin === "generated" && isHmac(alg);
  return { ...isKnown ? { bytes, encoding } : NO_SHAPE, bits: modulusBits(alg, bytes), token_kid };
}

const NO_SHAPE = { bytes: null, encoding: null };

function announcedText(installation: Installation): string | null {
  const at = announced(installation);
  return at === null ? null : rfc3339(at);
}

async function kekFacts(installation: Installation) {
  try {
    const { id, source, generated, remembered = false } = await installation.kek();
    return { id, source, generated, remembered, error: null };
  } catch (error) {
    if (!isRekeyError(error)) throw error;
    return { id: null, source: null, generated: null, remembered: null, error: error.code };
  }
}

/** What `status --json` prints. */
export type StatusFacts = Record<string, unknown> & ReturnType<typeof describeShape> & {
  alg: Algorithm;
  key_form: KeyForm;
  location: Location;
  fleet?: FleetFacts;
  kek: Awaited<ReturnType<typeof kekFacts>>;
  grace: ReturnType<typeof describeGrace>[];
  prepared: PreparedFacts;
  stale_processes: ReturnType<typeof describeHolders>;
  rotation_announced: string | null;
  last_rotation: string | null;
  deliveries: DeliveryFacts[];
  audit_sinks: SinkFacts[];
};
