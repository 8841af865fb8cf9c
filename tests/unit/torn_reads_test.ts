import assert from "node:assert/strict";
import { join } from "node:path";
import { AuthManager } from "../../src/auth/manager.ts";
import { activation } from "../../src/cli/commands/activation.ts";
import type { RotateFlags } from "../../src/cli/commands/rotate_flags.ts";
import { status } from "../../src/cli/commands/status.ts";
import type { Context } from "../../src/cli/context.ts";
import { withPreset } from "../../src/deliver/delivery.ts";
import { mustHoldKeys } from "../../src/deliver/trial.ts";
import { examine, findingsOf } from "../../src/doctor/examination.ts";
import type { NewSecret } from "../../src/secret/backend.ts";
import { nextStep } from "../../src/secret/next_step.ts";
import { SecretManager } from "../../src/secret/manager.ts";
import { retrieve } from "../../src/secret/retrieve.ts";
import { FleetView } from "../../src/serve/fleet_view.ts";
import type { OwnMetrics, Sample } from "../../src/serve/own_metrics.ts";
import { addSecretMetrics } from "../../src/serve/secret_metrics.ts";
import { statusOf } from "../../src/serve/status.ts";
import type { Settings } from "../../src/serve/settings.ts";
import { NOT_DELIVERED } from "../../src/store/sqlite/deliveries.ts";
import { Accounts } from "../../src/users/accounts.ts";
import { Sessions } from "../../src/users/sessions.ts";
import { betweenReadsOf, commitRotation, openSession } from "../support/faults/between_reads.ts";
import { testEnvironment } from "../support/store/environment.ts";

const HOUR_MS = 3_600_000;

/** A secret of which the next version is prepared. */
async function prepared({ first = {}, next = {} }: { first?: NewSecret; next?: NewSecret } = {}) {
  const environment = testEnvironment();
  const secrets = new SecretManager(environment);
  await secrets.getOrCreate({ store: "database", ...first });
  await secrets.underLock((installation, backend, _turn, note) =>
    backend.prepare(installation, { reason: null, usage: next }, note)
  );
  const { installation } = await secrets.open();
  await secrets.flushNotes();
  return {
    ...{ environment, secrets, installation },
    [Symbol.dispose]() {
      secrets.close();
      environment[Symbol.dispose]();
    },
  };
}

type At = Awaited<ReturnType<typeof prepared>>;

interface Looking<T> {
  readonly look: (at: At) => Promise<T>;
  /** @param whole what the look finds before the rotation, and after it. */
  readonly check: (seen: T, whole: readonly [before: T, after: T], queries: number) => void;
  readonly between?: (at: At) => void;
  readonly uses?: Parameters<typeof prepared>[0];
  /** Every n-th query; default: each. */
  readonly every?: number;
}

/** Looks while another process commits a rotation after one of the queries that the look makes, and after each other one. */
async function whileRotated<T>({ look, check, between = withGrace, uses, every = 1 }: Looking<T>) {
  let isReached = true;
  for (let queries = 1; isReached; queries += every) {
    using at = await prepared(uses);
    const before = await look(at);
    const act = () => between(at);
    const { result, reached } = await betweenReadsOf(queries, act, () => look(at));
    isReached = reached;
    if (!isReached) act();
    check(result, [before, await look(at)], queries);
  }
}

const withGrace = ({ installation }: At) =>
  commitRotation(installation, installation.now() + HOUR_MS);
const withoutGrace = ({ installation }: At) => commitRotation(installation, null);

const isOneOf = <T>(seen: T, whole: readonly T[], queries: number) =>
  assert.ok(
    whole.some((one) => JSON.stringify(one) === JSON.stringify(seen)),
    `${queries}: ${JSON.stringify(seen)}`,
  );

/** What `rekey status --json` prints, as far as versions are in it. */
async function printedStatus({ secrets }: At) {
  let printed: Record<string, unknown> = {};
  const output = {
    options: {},
    result: (facts: object) => printed = { ...facts },
    warning: () => {},
  };
  const auth = new AuthManager(secrets);
  await status({ maxAge: 86_400 }, { secrets, auth, output } as unknown as Context);
  const { version, kid, grace, prepared, last_rotation, activated_at, read_from } = printed;
  return { version, kid, grace, prepared, last_rotation, activated_at, read_from };
}

Deno.test("status is about one moment, whenever a rotation commits", async () => {
  await whileRotated({ look: printedStatus, check: isOneOf, every: 5 });
  await whileRotated({ look: printedStatus, check: isOneOf, every: 11, between: withoutGrace });
});

async function servedStatus({ secrets }: At) {
  const managers = { secrets, auth: new AuthManager(secrets) } as unknown as Parameters<
    typeof statusOf
  >[0];
  const knowledge = {
    fleet: new FleetView(),
    examinations: { recent: () => Promise.resolve(undefined) },
    trouble: () => Promise.resolve(undefined),
    certificateEnds: undefined,
  } as unknown as Parameters<typeof statusOf>[2];
  const settings = { maxAgeSeconds: 86_400, version: "test" } as Settings;
  const { version, kid, grace, prepared, rotations } = await statusOf(
    managers,
    settings,
    knowledge,
  );
  return { version, kid, grace, prepared, rotations };
}

Deno.test("the status page is about one moment, whenever a rotation commits", async () => {
  await whileRotated({ look: servedStatus, check: isOneOf, every: 5 });
});

async function versionAndRotations({ secrets }: At) {
  const seen = new Map<string, number>();
  const take = (name: string, _help: string, ...samples: Sample[]) =>
    void samples.forEach(([value]) => seen.set(name, value));
  const own = { gauge: take, counter: take } as unknown as OwnMetrics;
  await addSecretMetrics(own, secrets, { maxAgeSeconds: 86_400 } as Settings);
  return [seen.get("rekey_current_version"), seen.get("rekey_rotations_total")];
}

Deno.test("metrics count a rotation when its version is the current one", async () => {
  await whileRotated({ look: versionAndRotations, check: isOneOf, every: 2 });
});

async function found({ environment }: At) {
  const context = {
    environment,
    variable: () => undefined,
    maxAgeMs: 86_400_000,
    flags: "",
    schedules: () => [],
    onProgress: () => {},
  };
  const findings = findingsOf(await examine(context));
  return findings.filter(({ code }) => code !== "sessions_ended").map((
    { code, what },
  ) => [code, what]);
}

Deno.test("doctor finds nothing wrong because a rotation commits while it looks", async () => {
  for (const between of [withGrace, withoutGrace]) {
    await whileRotated({ look: found, check: isOneOf, every: 5, between });
  }
});

Deno.test("a value that a rotation destroys while it is read is no fault in the audit log", async () => {
  const events = new Set<string>();
  const look = async ({ installation }: At) => {
    const row = installation.versions.byNumber(1)!;
    if (row.state === "retired") return;
    await retrieve(installation, row, ({ event }) => events.add(event)).catch(() => {});
  };
  await whileRotated({ look, between: withoutGrace, check: () => {} });
  assert.deepEqual([...events].filter((event) => /error/i.test(event)), []);
});

Deno.test("sessions that are listed are those of one moment", async () => {
  const look = async ({ secrets, installation: { database } }: At) => {
    const isFirst = new Sessions(database).find("first") === undefined;
    if (isFirst) database.transaction(() => openSession(database, "first", Date.now()));
    return (await new Accounts(secrets).sessions(1)).map(({ jti }) => jti);
  };
  const between = ({ installation }: At) =>
    commitRotation(
      installation,
      installation.now() + HOUR_MS,
      (other) => openSession(other, "second", Date.now() + 1_000),
    );
  await whileRotated({ look, between, check: isOneOf });
});

Deno.test("an activation that another process makes first is not said to be impossible", async () => {
  const times = { maxAgeMs: 24 * HOUR_MS, standbyMs: 0 };
  const look = async ({ secrets, installation }: At) => {
    const permit = () => {
      if (nextStep(installation, times).step !== "activate") throw new Error("not due");
    };
    const flags = { grace: 0, force: true } as RotateFlags;
    return await activation(flags, { secrets } as Context, permit)
      .then(() => "may activate", ({ message }) => message as string);
  };
  await whileRotated({ look, check: isOneOf });
});

Deno.test("a delivery is not refused for the key that just becomes the current one", async () => {
  const delivery = await withPreset({
    name: "api",
    settings: {
      ...{ preset: "text", role: "verifier", path: join("/", "keys"), parameters: {} },
      ...{ owner: null, group: null, mode: null, replaces: false },
    },
    state: NOT_DELIVERED,
  });
  const look = async ({ installation }: At) =>
    await mustHoldKeys(installation, delivery).then(
      () => "fits",
      ({ message }) => message as string,
    );
  const uses = { first: { alg: "ES256" }, next: { alg: "HS512" } } as const;
  await whileRotated({ look, check: isOneOf, uses });
});
