import { propose, retryOnConflict } from "./commit.ts";
import { baseRevisionOf } from "./base_revision.ts";
import { lacking } from "./replica.ts";
import { currentOf } from "./state.ts";
import { readSealedState } from "./snapshot.ts";
import type { Installation } from "../store/installation.ts";
import { newKek } from "../store/sealed/kek.ts";
import { RekeyError } from "../core/errors.ts";
import { sealingKek } from "../store/sealed/sealing.ts";
import { currentSlot } from "../core/location.ts";

/**
 * Seals the shared state and its values under another KEK, unless another machine has done so already: then only this
 * machine's database remains. A machine cannot follow until it has the new KEK too.
 *
 * @param keyFile file of the new KEK.
 * @throws {RekeyError} `usage` without one, `etcd_…`, or `busy` when every attempt met a conflict.
 */
export async function resealShared(
  installation: Installation,
  keyFile: string | undefined,
): Promise<void> {
  if (keyFile === undefined) throw ownKey();
  const { app, folders, kek: { run } } = installation.environment;
  const { kek } = await newKek({ file: keyFile, run }, folders.config, app.name);
  const store = installation.shared();
  await retryOnConflict(async () => {
    const sealed = await readSealedState(store, app.name);
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

function ownKey(): RekeyError {
  return new RekeyError("usage", "Cannot make a KEK here: machines share the secret", {
    hint: "Make a key file, bring it to every machine, and name it by --to-kek-file",
  });
}
