import { propose } from "../cluster/commit.ts";
import { baseRevisionOf } from "../cluster/base_revision.ts";
import { lacking } from "../cluster/replica.ts";
import { currentOf } from "../cluster/state.ts";
import { readSealedState } from "../cluster/snapshot.ts";
import type { Installation } from "../store/installation.ts";
import type { Kek } from "../store/sealed/kek.ts";
import { sealingKek } from "../store/sealed/sealing.ts";
import { currentSlot } from "../core/secret_store.ts";
import { retryOnConflict } from "./retry_on_conflict.ts";

/**
 * Seals what machines share under another KEK, unless another machine has done it already: then only this machine's
 * own database is left to do. Until a machine has the new KEK too it cannot follow.
 *
 * @throws {RekeyError} `etcd_…`, or `busy` when others change it again and again.
 */
export async function resealShared(installation: Installation, kek: Kek): Promise<void> {
  const store = installation.shared();
  await retryOnConflict(async () => {
    const sealed = await readSealedState(store, installation.environment.app.name);
    if (sealed !== undefined && sealingKek(sealed.value) === kek.id) return DONE;
    const { state: before, snapshot: base, added: lost } = await baseRevisionOf(installation);
    const added = new Map<string, string>();
    for (const row of before.versions) {
      const value = base?.values.get(row.kid) ?? lost.get(row.kid);
      if (value === undefined) continue;
      const secret = await store.open(currentSlot(row), value);
      added.set(row.kid, await store.seal(currentSlot(row), secret, kek));
    }
    const versions = before.versions.filter(({ kid }) => added.has(kid));
    if (!added.has(currentOf(before).kid)) throw lacking(currentOf(before));
    const state = { ...before, change: before.change + 1, versions };
    return await propose(installation, { base, state, added, kek }) && DONE;
  });
}

const DONE = true;
