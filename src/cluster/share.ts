import { RekeyError } from "../core/errors.ts";
import { isSplit } from "../etcd/client.ts";
import type { EtcdClient } from "../etcd/client.ts";
import { unconfigured } from "../etcd/unconfigured.ts";
import type { Installation } from "../store/installation.ts";
import type { Environment } from "../store/environment.ts";
import { isPortable } from "../store/sealed/kek_sources.ts";
import { EVENTS } from "../audit/events.ts";
import { propose, retryOnConflict } from "./commit.ts";
import { follow, lacking } from "./replica.ts";
import { readSnapshot, type Snapshot } from "./snapshot.ts";
import {
  currentOf,
  type FleetState,
  MOST_SHARED_VERSIONS,
  randomId,
  type SharedVersion,
} from "./state.ts";
import type { NewSecret } from "../secret/backend.ts";
import { newSecret, nextUse } from "../secret/next_use.ts";
import { tokenKidOf } from "../secret/token_kid.ts";
import type { Make } from "../secret/create.ts";
import type { Import } from "../secret/import/imported.ts";
import { newVersion, provenValue } from "./rotate.ts";
import { SYSTEM } from "../system/system.ts";
import { changeShared, localState } from "./change.ts";
import { mustBeFollowed } from "../secret/followed.ts";
import { shareEnded } from "./ended_sessions.ts";
import { knownFleet } from "../store/sqlite/meta.ts";
import { endedSessions } from "../store/sqlite/ended_sessions.ts";
import { scrub } from "../store/sqlite/scrub.ts";
import { currentSlot } from "../core/location.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { tryReconcile } from "../secret/keyring/reconcile.ts";
import type { Moved } from "../secret/move.ts";
import { type Note, retrieve } from "../secret/retrieve.ts";

// What a KEK that other machines can get is made of, and how this machine is told of it.
const NAME_KEK = "name it by --kek-file, REKEY_KEK_COMMAND or a systemd credential";
const TAKE_KEK = "run `rekey kek rotate --to-kek-file FILE` here";

/** Decides how a first shared version is made. @throws {RekeyError} as {@linkcode mustBeShareable} does. */
export async function planShared(
  environment: Environment,
  usage: NewSecret,
  given?: Import,
): Promise<Make> {
  nextUse(undefined, usage, given?.secret);
  const { app, kek } = environment;
  await mustBeShareable({ app, kek, etcd: await environment.etcd?.() }, NAME_KEK);
  return (prepared) => makeShared(prepared, usage, given);
}

/**
 * Joins the fleet whose secret etcd holds, or else makes a first version and shares it. Call it under the lock, on a
 * prepared installation without versions.
 *
 * @returns whether this call made it.
 * @throws {RekeyError} `already_initialised` when etcd holds another secret than the one to import; `etcd_…`.
 */
async function makeShared(
  installation: Installation,
  wanted: NewSecret,
  given?: Import,
): Promise<boolean> {
  const there = await readSnapshot(installation, await installation.shared());
  if (there !== undefined) {
    await join(installation, there, given);
    return false;
  }
  const use = nextUse(installation, wanted, given?.secret);
  const secret = given?.secret ?? await newSecret(use);
  const row = newVersion(installation, 1, secret, {
    reason: given?.reason ?? null,
    request_id: null,
    replaces: null,
  }, use);
  const sealed = await provenValue(installation, row, secret);
  const state = firstState(installation, row, {
    origin: given === undefined ? "generated" : "adopted",
    token_kid: tokenKidOf(installation.versions, secret, given?.tokenKid),
  });
  const added = new Map([[row.kid, sealed]]);
  const snapshot = await propose(installation, { base: undefined, state, added });
  // Another machine was first.
  if (snapshot === undefined) return await makeShared(installation, wanted, given);
  await follow(installation, snapshot, { joins: true, first: EVENTS.created });
  return true;
}

/** What etcd is to hold of a first version that is in use from now on. */
function firstState(
  installation: Installation,
  row: SharedVersion,
  about: Pick<SharedVersion, "origin" | "token_kid">,
): FleetState {
  const { alg, key_form } = row;
  const { policy } = installation;
  const activated_at = installation.now();
  return {
    ...{ format: 1, id: randomId(), change: 1, alg, key_form, policy },
    versions: [{ ...row, ...about, state: "current", activated_at }],
    retired: [],
  };
}

async function join(installation: Installation, snapshot: Snapshot, given?: Import): Promise<void> {
  const { version, kid } = currentOf(snapshot.state);
  if (given !== undefined && given.secret.kid !== kid) {
    throw new RekeyError(
      "already_initialised",
      `Cannot import a secret: machines share one already, version ${version} (kid ${kid})`,
      { hint: "Import under another --app or REKEY_ETCD_PREFIX" },
    );
  }
  await follow(installation, snapshot, { joins: true });
}

/**
 * Checks that etcd responds and that other machines can get the same KEK.
 *
 * @param useKek how this machine begins to use a KEK that others have too.
 * @throws {RekeyError} `etcd_…`, or `kek_missing` when the KEK is a generated key file or comes from a passphrase, whose
 * salt exists on this machine only.
 */
async function mustBeShareable(
  { kek, etcd, app }: Pick<Environment, "app" | "kek"> & { readonly etcd: EtcdClient | undefined },
  useKek: string,
): Promise<void> {
  if (etcd === undefined) throw unconfigured();
  if (!isPortable(kek)) {
    throw new RekeyError("kek_missing", "Cannot share the secret: its KEK is this machine's own", {
      hint: `Make a key file with \`${SYSTEM.advice.makeKey}\`, ` +
        `bring it to every machine, and ${useKek}`,
    });
  }
  await etcd.range(`${etcd.settings.prefix}${app.name}/state`);
  if (isSplit(await etcd.status())) {
    throw new RekeyError("etcd_failed", "Cannot use etcd: members of different etcds are named", {
      hint:
        "`etcdctl member list` of each shows whose it is. One that was started before it was configured, as " +
        "Debian's package does, stays alone until its data folder is emptied",
    });
  }
}

/**
 * Moves this machine's versions into etcd, or joins the fleet that shares the same secret there. Tokens stay valid. If
 * etcd has lost a part of the shared state, this machine restores it. Call it under the lock, after recovery.
 *
 * @throws {RekeyError} `secret_claimed` when another secret is shared there, or a code with exit status 4.
 */
export async function migrateToCluster(installation: Installation, note: Note): Promise<Moved> {
  const { versions, meta, environment } = installation;
  const [etcd, kek] = [await installation.etcd(), installation.kekSources()];
  // What is sealed here is sealed under another KEK, which must open it first.
  await mustBeShareable({ app: environment.app, etcd, kek }, TAKE_KEK);
  const rows = versions.held();
  if (rows.length > MOST_SHARED_VERSIONS) throw tooMany();
  const moved = knownFleet(meta) === undefined
    ? await bringThere(installation, rows, note)
    : await putBackThere(installation);
  const published = versions.unsynced().length === 0 || (await tryReconcile(installation)).done;
  scrub(installation);
  return { versions: moved ? rows : [], published };
}

/** @returns whether etcd lacked anything. */
async function putBackThere(installation: Installation): Promise<boolean> {
  return await changeShared<boolean>(installation, ({ state, snapshot, added }) => {
    if (state === snapshot?.state && added.size === 0) return { unchanged: false };
    mustBeBringable(state, snapshot, added);
    return {
      state,
      result(followed) {
        mustBeFollowed(followed);
        return true;
      },
    };
  });
}

// Other machines cannot follow a version whose number they use for another one, nor a current version without a value.
function mustBeBringable(
  { versions }: FleetState,
  there: Snapshot | undefined,
  added: ReadonlyMap<string, string>,
): void {
  const { values = new Map(), state } = there ?? {};
  const current = versions.find((row) => row.state === "current")!;
  if (!values.has(current.kid) && !added.has(current.kid)) throw lacking(current);
  const others = [...state?.versions ?? [], ...state?.retired ?? []];
  const isTaken = ({ version, kid }: SharedVersion) =>
    others.some((row) => row.version === version && row.kid !== kid);
  if (!versions.some(isTaken)) return;
  throw new RekeyError("fleet_behind", "Cannot put back what etcd has gone on from without it", {
    hint: "`rekey rotate --force` here goes on from what both know; all sessions end",
  });
}

async function bringThere(
  installation: Installation,
  rows: Version[],
  note: Note,
): Promise<boolean> {
  const added = await sealed(installation, rows, note);
  return await retryOnConflict(async () => {
    const there = await readSnapshot(installation, await installation.shared());
    if (there !== undefined) mustBeTheSame(installation, there);
    const snapshot = there ?? await found(installation, added);
    if (snapshot === undefined) return undefined;
    // Sessions that ended here have ended for the whole fleet.
    const { database } = installation;
    await shareEnded(installation, endedSessions(database, installation.now()));
    await follow(installation, withLost(snapshot, added), { joins: true });
    // Values that etcd has lost.
    await putBackThere(installation);
    return true;
  });
}

function withLost(snapshot: Snapshot, added: ReadonlyMap<string, string>): Snapshot {
  const own = [...added].filter(([kid]) => snapshot.state.versions.some((row) => row.kid === kid));
  return { ...snapshot, values: new Map([...own, ...snapshot.values]) };
}

async function sealed(installation: Installation, rows: Version[], note: Note) {
  const added = new Map<string, string>();
  for (const row of rows) {
    const { secret } = await retrieve(installation, row, note);
    added.set(row.kid, await (await installation.shared()).seal(currentSlot(row), secret));
  }
  return added;
}

async function found(
  installation: Installation,
  added: ReadonlyMap<string, string>,
): Promise<Snapshot | undefined> {
  const state = localState(installation, { id: randomId(), change: 1 });
  const versions = state.versions.filter(({ kid }) => added.has(kid));
  return await propose(installation, { base: undefined, state: { ...state, versions }, added });
}

function mustBeTheSame({ versions }: Installation, { state }: Snapshot): void {
  const { version, kid } = currentOf(state);
  const own = versions.current();
  if (own?.version === version && own.kid === kid) return;
  throw new RekeyError(
    "secret_claimed",
    `Cannot move the secret to etcd: machines share another one there, version ${version} (kid ${kid})`,
    { hint: "To join them, `rekey destroy` here and then `rekey init --store etcd`" },
  );
}

function tooMany(): RekeyError {
  return new RekeyError(
    "failed",
    "Cannot move the secret to etcd: too many grace windows are open",
    {
      hint:
        `At most ${MOST_SHARED_VERSIONS} versions can be shared; \`rekey revoke\` ends the windows`,
    },
  );
}
