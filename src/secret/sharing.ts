import { randomBytes } from "node:crypto";
import { EVENTS } from "../audit/events.ts";
import { RekeyError } from "../core/errors.ts";
import { Secret } from "../core/secret.ts";
import { unconfigured } from "../etcd/errors.ts";
import { localState } from "../fleet/basis.ts";
import { propose } from "../fleet/commit.ts";
import { follow } from "../fleet/replica.ts";
import { goesOn, knownFleet, mustGoOn, readSnapshot, type Snapshot } from "../fleet/snapshot.ts";
import { currentOf, type FleetState, MOST_SHARED_VERSIONS } from "../fleet/state.ts";
import { isPortable } from "../store/kek.ts";
import type { Environment, Installation } from "../store/installation.ts";
import { currentSlot } from "../store/secret_store.ts";
import type { Version } from "../store/versions.ts";
import type { Import } from "./imported.ts";
import type { Moved } from "./relocation.ts";
import { scrub, tryReconcile } from "./recovery.ts";
import { type Note, retrieve } from "./retrieval.ts";
import { newVersion, provenValue } from "./shared_version.ts";

/** Whether the current version is one that machines share. */
export function isShared({ versions }: Installation): boolean {
  return versions.current()?.location === "etcd";
}

/**
 * Makes sure, before anything is made, that etcd answers and that other machines can have the KEK too.
 *
 * @throws {RekeyError} `etcd_…`, or `kek_missing` when the KEK is a generated key file or comes from a passphrase, whose
 * salt is this machine's own.
 */
export async function mustBeShareable({ kek, etcd, app }: Environment): Promise<void> {
  if (etcd === undefined) throw unconfigured();
  if (!isPortable(kek)) {
    throw new RekeyError("kek_missing", "Cannot share the secret: its KEK is this machine's own", {
      hint:
        "Make a key file with `head -c 32 /dev/urandom | base64 > FILE`, bring it to every machine, and name it " +
        "by --kek-file, REKEY_KEK_COMMAND or a systemd credential",
    });
  }
  await etcd.range(`${etcd.settings.prefix}${app.name}/state`);
}

/**
 * A first version that is shared: the one that is there already, or else a new one. Call it under the lock, on a
 * prepared installation without versions.
 *
 * @returns whether this call made it.
 * @throws {RekeyError} `already_initialised` when another secret is shared than the one to be imported, `etcd_…`.
 */
export async function makeShared(installation: Installation, given?: Import): Promise<boolean> {
  const secret = given?.secret ?? Secret.generate();
  const there = await readSnapshot(installation, installation.shared());
  if (there !== undefined) {
    await join(installation, there, given);
    return false;
  }
  const row = newVersion(installation, 1, secret, {
    reason: given?.reason ?? null,
    request_id: null,
    replaces: null,
  });
  const origin = given === undefined ? "generated" : "adopted";
  const sealed = await provenValue(installation, row, secret);
  const activated_at = installation.now();
  const current = { ...row, origin, state: "current", activated_at } as const;
  const { algorithm: alg, keyForm: key_form } = installation;
  const state: FleetState = {
    ...{ format: 1, id: newId(), change: 1, alg, key_form },
    versions: [current],
    retired: [],
  };
  const added = new Map([[row.kid, sealed]]);
  const snapshot = await propose(installation, { base: undefined, state, added });
  // Another machine was first.
  if (snapshot === undefined) return await makeShared(installation, given);
  await follow(installation, snapshot, EVENTS.created);
  return true;
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
  await follow(installation, snapshot);
}

/**
 * Moves this machine's versions into etcd, or joins the machines that share the same secret there. Tokens stay valid.
 * Where etcd has forgotten what this machine knows, it is put back. Call it under the lock, after recovery.
 *
 * @throws {RekeyError} `secret_claimed` when another secret is shared there, or a code with exit status 4.
 */
export async function share(installation: Installation, note: Note): Promise<Moved> {
  const { versions, environment } = installation;
  await mustBeShareable(environment);
  const rows = [versions.current(), ...versions.previous()].filter((row) => row !== undefined);
  if (rows.length > MOST_SHARED_VERSIONS) throw tooMany();
  const there = await readSnapshot(installation, installation.shared());
  const snapshot = there !== undefined && isOurs(installation, there)
    ? there
    : await putThere(installation, rows, there, note);
  await follow(installation, snapshot);
  const published = versions.unsynced().length === 0 || (await tryReconcile(installation)).done;
  scrub(installation);
  const moved = rows.filter(({ location }) => location !== "etcd");
  return { versions: moved, published };
}

function isOurs({ versions, meta }: Installation, snapshot: Snapshot): boolean {
  const known = knownFleet(meta);
  const own = versions.current();
  if (known !== undefined) {
    if (snapshot.state.id !== known.id) mustGoOn(known, own, snapshot);
    return goesOn(known, own, snapshot);
  }
  const { version, kid } = currentOf(snapshot.state);
  if (own?.version === version && own.kid === kid) return true;
  throw new RekeyError(
    "secret_claimed",
    `Cannot move the secret to etcd: machines share another one there, version ${version} (kid ${kid})`,
    { hint: "To join them, `rekey destroy` here and then `rekey init --store etcd`" },
  );
}

async function putThere(
  installation: Installation,
  rows: Version[],
  base: Snapshot | undefined,
  note: Note,
): Promise<Snapshot> {
  const store = installation.shared();
  const added = new Map<string, string>();
  for (const row of rows) {
    const { secret } = await retrieve(installation, row, note);
    added.set(row.kid, await store.seal(currentSlot(row), secret));
  }
  const known = knownFleet(installation.meta) ?? { id: newId(), change: 0 };
  const before = localState(installation, known, base?.state);
  const versions = before.versions.filter(({ kid }) => added.has(kid));
  const state = { ...before, change: before.change + 1, versions };
  const snapshot = await propose(installation, { base, state, added });
  if (snapshot !== undefined) return snapshot;
  throw new RekeyError("busy", "Cannot move the secret to etcd: another machine is changing it", {
    hint: "Try again in a moment",
  });
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

function newId(): string {
  return randomBytes(12).toString("base64url");
}
