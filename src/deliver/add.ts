import { quoted, RekeyError, usageError } from "../core/errors.ts";
import { EVENTS } from "../audit/events.ts";
import type { Installation } from "../store/installation.ts";
import { Deliveries, type DeliverySettings, NOT_DELIVERED } from "../store/sqlite/deliveries.ts";
import { SYSTEM } from "../system/system.ts";
import { dataOf, type Delivery, rightsOf, withPreset } from "./delivery.ts";
import { refuseTakenPlace, usablePath } from "./places.ts";
import { fill } from "./templates.ts";
import type { Preset } from "./preset.ts";
import { refuseUnsafeTarget } from "./target_folders.ts";
import { digestOnDisk, refuseImpossiblePath } from "./write_target.ts";
import { selected } from "./sync.ts";
import { mustHoldKeys } from "./trial.ts";

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
  const delivery = await withPreset({ name, settings, state: NOT_DELIVERED });
  const others = await Promise.all(selected(installation).map(withPreset));
  refuseTakenPlace(installation, delivery, others);
  refuseUnwritable(delivery);
  await mustHoldKeys(installation, delivery);
  const audit = await installation.audit();
  installation.database.transaction(() => {
    const deliveries = new Deliveries(installation.database);
    deliveries.put(name, settings);
    deliveries.setState(name, { ...NOT_DELIVERED, added_at: installation.now() });
    audit.append({ event: EVENTS.deliveryAdded, reason: `${name}: ${settings.path}` });
  });
}

async function settingsOf(
  given: NewDelivery,
  preset: Preset,
  base: Pick<DeliverySettings, "preset" | "own">,
): Promise<DeliverySettings> {
  refuseParameters(given, preset);
  refuseRights(given);
  const { owners } = SYSTEM;
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

function refuseRights({ owner, group, mode }: NewDelivery): void {
  if (SYSTEM.owners !== undefined || [owner, group, mode].every((one) => one === undefined)) return;
  throw usageError(
    "Cannot use --owner, --group or --mode: files on this system have access lists instead",
    "Leave them out; the file is private to this user",
  );
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
  const isFolder = preset.layout === "folder";
  refuseImpossiblePath(settings.path, isFolder);
  if (isFolder) return;
  // It refuses a link and a folder; with --force, too.
  const found = digestOnDisk(settings.path);
  if (found === undefined || settings.replaces) return;
  throw new RekeyError(
    "failed",
    `Cannot deliver to ${settings.path}: it is there already, and rekey did not write it`,
    { hint: "Move it away, or replace it with --force" },
  );
}
