import type { Location } from "../core/secret_store.ts";
import { isRekeyError, RekeyError } from "../core/errors.ts";
import { catchUp } from "../cluster/catch_up.ts";
import type { Installation, StoreChoice } from "../store/installation.ts";
import { locationForNew } from "../store/location.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { notInitialised } from "./errors.ts";
import { keepCopy } from "./automatic_copy.ts";
import { mayReplace } from "./keyring_note.ts";
import { type Note, retrieve } from "./retrieval.ts";
import { type Changed, changeSecret } from "./rotation.ts";
import { alreadyDone, refuseOneTooMany, type RotateOptions } from "./rotation_request.ts";
import { rotateShared } from "./shared_rotation.ts";
import { isShared } from "./sharing.ts";

/**
 * Rotates where the secret lives, or where the operator wants it: in etcd for all machines, or here. Call it under the
 * lock, after recovery.
 *
 * @throws {RekeyError} as `SecretManager.rotate` does.
 */
export async function rotate(
  installation: Installation,
  options: RotateOptions,
  note: Note,
): Promise<Changed> {
  if (staysShared(installation, options.store)) {
    return await rotateShared(installation, options);
  }
  const { graceMs = 0, reason = null, requestId, alg, keyForm } = options;
  await catchUpToLeave(installation, graceMs);
  // Asked under the lock: another rotation may have been first.
  const old = installation.versions.current();
  if (old === undefined) throw notInitialised(installation.environment.app.name);
  const done = alreadyDone(installation, old, options);
  if (done !== undefined) return done;
  if (graceMs > 0) {
    refuseOneTooMany(installation);
    await mustBeReadable(installation, old, note);
  }
  const location = await nextLocation(installation, options.store);
  if (options.backup ?? true) await keepCopy(installation, old);
  return await changeSecret(
    installation,
    { old, location, reason, graceMs, requestId, alg, keyForm },
    options.onStep,
  );
}

/**
 * Where the next version is to live. Call it under the lock.
 *
 * @throws {RekeyError} as {@linkcode locationForNew} does.
 */
export async function nextLocation(
  installation: Installation,
  wanted: StoreChoice | undefined,
): Promise<Location> {
  if (staysShared(installation, wanted)) return "etcd";
  const { keyring, store, versions } = installation;
  const known = (kid: string) => mayReplace(installation, kid);
  return await locationForNew(keyring, wanted ?? store, versions.current(), known);
}

/** Whether a rotation happens in etcd: the secret is there, and nobody wants it elsewhere. */
function staysShared(installation: Installation, wanted?: StoreChoice): boolean {
  return isShared(installation) && ["auto", "etcd"].includes(wanted ?? installation.store);
}

/**
 * Before a machine leaves its fleet: what the others have ended must not count here again. In an emergency without etcd
 * a rotation that ends everything does without.
 */
async function catchUpToLeave(installation: Installation, graceMs: number): Promise<void> {
  if (!isShared(installation)) return;
  try {
    await catchUp(installation);
  } catch (error) {
    if (graceMs > 0 || !isRekeyError(error)) throw error;
  }
}

async function mustBeReadable(installation: Installation, old: Version, note: Note): Promise<void> {
  try {
    await retrieve(installation, old, note);
  } catch (error) {
    if (!isRekeyError(error)) throw error;
    throw new RekeyError(error.code, `Cannot give a grace window: ${error.message}`, {
      hint: joined(error.hint, "without --grace the old secret is not needed"),
      cause: error,
    });
  }
}

function joined(hint: string | undefined, more: string): string {
  return hint === undefined ? more : `${hint}; ${more}`;
}
