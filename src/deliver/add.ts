import { isRekeyError, quoted, RekeyError, usageError } from "../core/errors.ts";
import { LOCK_TIMEOUT_MS } from "../core/limits.ts";
import type { SecretManager } from "../secret/manager.ts";
import { EVENTS } from "../audit/events.ts";
import { Installation } from "../store/installation.ts";
import { Deliveries, type DeliverySettings, NOT_DELIVERED } from "../store/sqlite/deliveries.ts";
import { SYSTEM } from "../system/system.ts";
import { dataOf, type Delivery, rightsAsFound, rightsOf, withPreset } from "./delivery.ts";
import { refuseTakenPlace, usablePath } from "./places.ts";
import { fill } from "./render.ts";
import type { Preset } from "./preset.ts";
import { refuseUnsafeTarget } from "./target_folders.ts";
import { digestOnDisk, removeTarget } from "./write_target.ts";
import { deliveryLock, selected } from "./sync.ts";
import { join } from "node:path";

/** What the operator says about a new delivery. What is left out is as the preset has it. */
export interface NewDelivery {
  readonly name: string;
  /** The preset's name, or the operator's own preset. */
  readonly preset: string | Preset;
  readonly path: string | undefined;
  readonly role?: "verifier" | "signer" | undefined;
  readonly owner?: string | undefined;
  readonly group?: string | undefined;
  readonly mode?: string | undefined;
  readonly parameters: Readonly<Record<string, string>>;
  readonly reload?: string | undefined;
  readonly probe?: DeliverySettings["probe"];
  /** Whether what is at the path is replaced. */
  readonly force: boolean;
}

const NAME = /^[a-z0-9][a-z0-9._-]{0,59}$/;
const ACCOUNT = /^[A-Za-z0-9_][\w.@-]{0,63}$/;

/**
 * Adds a delivery. Nothing is written yet: {@linkcode sync} does that. Call it under the lock of deliveries.
 *
 * @throws {RekeyError} `usage` or `failed` when it could never be written; nothing is added then.
 */
export async function addDelivery(installation: Installation, given: NewDelivery): Promise<void> {
  const { name } = given;
  if (!NAME.test(name)) {
    throw usageError(
      `Cannot use ${quoted(name)} as the name of a delivery`,
      "Use small letters, digits, dots and dashes, beginning with a letter or digit",
    );
  }
  const isOwn = typeof given.preset !== "string";
  const presetName = typeof given.preset === "string" ? given.preset : given.preset.name;
  const base = { preset: presetName, ...isOwn ? { own: given.preset } : {} };
  const { preset } = await withPreset({
    name,
    settings: { ...base, path: "/", parameters: {} } as unknown as DeliverySettings,
    state: NOT_DELIVERED,
  });
  const settings = await settingsOf(given, preset, base);
  const delivery = { name, settings, preset, state: NOT_DELIVERED };
  const others = await Promise.all(selected(installation).map(withPreset));
  refuseTakenPlace(installation, delivery, others);
  refuseUnwritable(delivery);
  const audit = await installation.audit();
  installation.database.transaction(() => {
    new Deliveries(installation.database).put(name, settings);
    audit.append({ event: EVENTS.deliveryAdded, reason: `${name}: ${settings.path}` });
  });
}

async function settingsOf(
  given: NewDelivery,
  preset: Preset,
  base: Pick<DeliverySettings, "preset" | "own">,
): Promise<DeliverySettings> {
  refuseParameters(given, preset);
  const { owners } = SYSTEM;
  const rights = [given.owner, given.group, given.mode];
  if (owners === undefined && rights.some((one) => one !== undefined)) {
    throw usageError(
      "Cannot use --owner, --group or --mode: files on this system have access lists instead",
      "Leave them out; the file is private to this user",
    );
  }
  const draft: DeliverySettings = {
    ...base,
    role: given.role ?? preset.role,
    path: "/",
    owner: owners && (given.owner ?? preset.owner) || null,
    group: owners && (given.group ?? preset.group) || null,
    mode: owners && (given.mode ?? preset.mode) || null,
    parameters: given.parameters,
    reload: given.reload,
    probe: given.probe,
    replaces: given.force,
  };
  const data = await dataOf({ name: given.name, settings: draft, preset });
  const path = given.path ??
    (preset.path === undefined ? undefined : await fill(preset.path, data));
  return { ...draft, path: usablePath(path) };
}

function refuseParameters({ parameters, owner, group }: NewDelivery, preset: Preset): void {
  const known = preset.parameters ?? {};
  const unknown = Object.keys(parameters).find((name) => !Object.hasOwn(known, name));
  if (unknown !== undefined) {
    throw usageError(
      `Cannot set ${quoted(unknown)}: ${preset.name} has no such parameter`,
      Object.keys(known).length === 0
        ? "It has no parameters"
        : `It has ${Object.keys(known).join(", ")}`,
    );
  }
  const missing = Object.entries(known)
    .find(([name, { default: value }]) => value === undefined && !Object.hasOwn(parameters, name));
  if (missing !== undefined) {
    const [name, { about }] = missing;
    throw usageError(`${preset.name} needs the parameter ${name}`, `--set ${name}=VALUE: ${about}`);
  }
  const account = [owner, group].find((one) => one !== undefined && !ACCOUNT.test(one));
  if (account !== undefined) {
    throw usageError(`Cannot use ${quoted(account)} as a user or group`, "Name one, or its number");
  }
}

function refuseUnwritable({ settings, preset }: Delivery): void {
  const rights = rightsOf(settings);
  refuseUnsafeTarget(settings.path, rights);
  if (preset.layout === "folder" || settings.replaces) return;
  if (digestOnDisk(settings.path) === undefined) return;
  throw new RekeyError(
    "failed",
    `Cannot deliver to ${settings.path}: it is there already, and rekey did not write it`,
    { hint: "Move it away, or replace it with --force" },
  );
}

/** Removes every delivery with its files, before the secret itself is destroyed. */
export async function removeEveryDelivery(secrets: SecretManager): Promise<void> {
  // Looked at first: opening would adopt a secret of an older application, which `destroy` leaves alone.
  if (!hasDeliveries(secrets)) return;
  const { installation } = await secrets.open();
  using _lock = await deliveryLock(installation, LOCK_TIMEOUT_MS);
  for (const { name } of selected(installation)) await removeDelivery(installation, name, false);
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

/**
 * Removes a delivery, and the files that rekey wrote for it. Call it under the lock of deliveries.
 *
 * @throws {RekeyError} `usage` for an unknown name; `database_unusable` when a file cannot be deleted: the delivery stays.
 */
export async function removeDelivery(
  installation: Installation,
  name: string,
  keepFiles: boolean,
): Promise<string[]> {
  const [stored] = selected(installation, [name]);
  const { settings, state } = stored!;
  const paths = Object.keys(state.files)
    .map((file) => file === "" ? settings.path : join(settings.path, file));
  if (!keepFiles) { for (const path of paths) removeTarget(path, rightsAsFound(settings)); }
  const audit = await installation.audit();
  installation.database.transaction(() => {
    new Deliveries(installation.database).remove(name);
    audit.append({ event: EVENTS.deliveryRemoved, reason: `${name}: ${settings.path}` });
  });
  return paths;
}
