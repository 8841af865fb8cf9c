import { RekeyError } from "../core/errors.ts";
import { localState } from "../fleet/basis.ts";
import { propose } from "../fleet/commit.ts";
import { follow } from "../fleet/replica.ts";
import { goesOn, knownFleet, mustGoOn, readSnapshot, type Snapshot } from "../fleet/snapshot.ts";
import { currentOf, MOST_SHARED_VERSIONS, newFleetId } from "../fleet/state.ts";
import type { Installation } from "../store/installation.ts";
import { currentSlot } from "../store/secret_store.ts";
import type { Version } from "../store/versions.ts";
import { scrub, tryReconcile } from "./recovery.ts";
import type { Moved } from "./relocation.ts";
import { type Note, retrieve } from "./retrieval.ts";
import { mustBeShareable } from "./sharing.ts";

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
  const known = knownFleet(installation.meta) ?? { id: newFleetId(), change: 0 };
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
