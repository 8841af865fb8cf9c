import { EVENTS } from "../audit/events.ts";
import { isRekeyError } from "../core/errors.ts";
import { LOCK_TIMEOUT_MS } from "../core/limits.ts";
import type { SecretManager } from "../secret/manager.ts";
import { Installation } from "../store/installation.ts";
import { Deliveries, type StoredDelivery } from "../store/sqlite/deliveries.ts";
import { rightsAsFound } from "./delivery.ts";
import { deliveredPath } from "./places.ts";
import { deliveryLock, selected } from "./sync.ts";
import { removeEmptyFolders } from "./target_folders.ts";
import { removeTarget } from "./write_target.ts";

/** What became of the files of a delivery that was removed. */
export interface RemovedDelivery {
  /** Paths of all of them. */
  readonly files: readonly string[];
  /** Those that hold something else than rekey wrote there: they stay. */
  readonly foreign: readonly string[];
}

/**
 * Removes a delivery, the files that rekey wrote for it, and the folders that it made for them if they are empty then.
 * Call it under the lock of deliveries.
 *
 * @throws {RekeyError} `usage` for an unknown name; `database_unusable` when a file cannot be deleted: the delivery stays.
 */
export async function removeDelivery(
  installation: Installation,
  name: string,
  keepFiles: boolean,
): Promise<RemovedDelivery> {
  const [stored] = selected(installation, [name]);
  const { settings, state } = stored!;
  const files = Object.keys(state.files);
  const foreign = keepFiles ? [] : files.filter((file) => !removeOwn(stored!, file));
  if (!keepFiles) removeEmptyFolders(state.folders ?? [], rightsAsFound(settings));
  const audit = await installation.audit();
  installation.database.transaction(() => {
    new Deliveries(installation.database).remove(name);
    audit.append({ event: EVENTS.deliveryRemoved, reason: `${name}: ${settings.path}` });
  });
  const [paths, left] = [files, foreign].map((names) =>
    names.map((file) => deliveredPath(stored!, file))
  ) as [string[], string[]];
  return { files: paths, foreign: left };
}

function removeOwn(delivery: StoredDelivery, file: string): boolean {
  const { settings, state: { files, replacing = [] } } = delivery;
  const own = [files[file]!, ...replacing];
  return removeTarget(deliveredPath(delivery, file), rightsAsFound(settings), own);
}

/**
 * Removes every delivery with its files, before the secret itself is destroyed.
 *
 * @returns paths of files that stay, since they hold something else than rekey wrote there.
 */
export async function removeEveryDelivery(secrets: SecretManager): Promise<string[]> {
  // Looked at first: opening would adopt a secret of an older application, which `destroy` leaves alone.
  if (!hasDeliveries(secrets)) return [];
  const { installation } = await secrets.open();
  using _lock = await deliveryLock(installation, LOCK_TIMEOUT_MS);
  const left: string[] = [];
  for (const { name } of selected(installation)) {
    left.push(...(await removeDelivery(installation, name, false)).foreign);
  }
  return left;
}

// A database that cannot be read can be destroyed all the same.
function hasDeliveries({ environment }: SecretManager): boolean {
  try {
    const found = Installation.openAsFound(environment);
    try {
      return found !== undefined && new Deliveries(found.database).count() > 0;
    } finally {
      found?.close();
    }
  } catch (error) {
    if (!isRekeyError(error)) throw error;
    return false;
  }
}
