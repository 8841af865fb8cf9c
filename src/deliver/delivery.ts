import { createHash } from "node:crypto";
import { dirname } from "node:path";
import { RekeyError } from "../core/errors.ts";
import { type Algorithm, ALGORITHMS, isHmac } from "../core/algorithms.ts";
import type { DeliverySettings, StoredDelivery } from "../store/sqlite/deliveries.ts";
import { SYSTEM } from "../system/system.ts";
import type { Preset } from "./preset.ts";
import { builtIn, FORMAT_PRESETS } from "./presets.ts";
import type { ProbeWay } from "./probe.ts";
import type { ReloadWay } from "./reload.ts";
import type { Rights } from "./target_folders.ts";
import { fill } from "./templates.ts";

/** A delivery with its preset. */
export interface Delivery extends StoredDelivery {
  readonly preset: Preset;
}

/** A delivery with its preset. One that this rekey does not have fails when it is delivered, and stops no other. */
export async function withPreset(stored: StoredDelivery): Promise<Delivery> {
  const { own, preset: name } = stored.settings;
  const preset = own === undefined ? await builtIn(name) : own as Preset;
  if (preset === undefined) {
    return { ...stored, preset: { ...FORMAT_PRESETS[0]!, name, algorithms: [] } };
  }
  const fitting = algorithmsOf(stored.settings, preset).filter((alg) =>
    preset.algorithms.includes(alg)
  );
  // One that contradicts itself says so when it is written.
  const algorithms = fitting.length > 0 ? fitting : preset.algorithms;
  return { ...stored, preset: { ...preset, algorithms } };
}

// A program that was told to expect an HMAC secret would take the text of a public key for one.
function algorithmsOf({ parameters }: DeliverySettings, { format }: Preset): readonly Algorithm[] {
  if (format !== "text" && format !== "env") return ALGORITHMS;
  const { encoding = "text" } = parameters;
  if (encoding === "jwk") return ALGORITHMS;
  return ALGORITHMS.filter((alg) => isHmac(alg) === (encoding !== "pem"));
}

/** @throws {RekeyError} `failed` when this rekey does not have the preset. */
export function mustHavePreset({ preset: { name, algorithms } }: Delivery): void {
  if (algorithms.length > 0) return;
  throw new RekeyError("failed", `this rekey has no preset ${name}`, {
    hint: "Use the rekey that added the delivery, or add it again with another preset",
  });
}

/** Which algorithms a program knows, for messages. */
export function whatKnows({ preset, settings }: Pick<Delivery, "preset" | "settings">): string {
  const { name, program, algorithms, parameters } = preset;
  const { encoding = parameters?.encoding?.default } = settings.parameters;
  const how = encoding === undefined ? "" : ` with encoding=${encoding}`;
  const what = program === "any" ? `the format ${name}${how}` : program;
  const others = encoding === undefined || program !== "any" || encoding === "jwk"
    ? ""
    : " (encoding=pem: key pairs, encoding=jwk: both kinds)";
  return `${what} knows ${algorithms.join(", ")}${others}`;
}

/** Whether a program holds several keys at once. One that signs, or holds one key, gets the current one. */
export function holdsMany({ settings, preset }: Delivery): boolean {
  return settings.role === "verifier" && preset.keys === "many";
}

/** What differs between the versions that a delivery is about. */
export interface VersionFacts {
  readonly kid: string;
  readonly alg: Algorithm;
  readonly key_form: string;
  readonly token_kid: string | null;
  /** Milliseconds since the epoch. */
  readonly grace_until: number | null;
}

/** Versions in the roles that matter to programs. */
export interface VersionSet<Row extends VersionFacts = VersionFacts> {
  readonly current: Row;
  readonly prepared: Row | undefined;
  /** Newest first. */
  readonly previous: readonly Row[];
}

/**
 * The versions that a delivery is to hold. A version whose algorithm the program does not know is left out; if that is
 * the current one, the next one takes its place, so that the program has it in time.
 */
export function wantedVersions<Row extends VersionFacts>(
  delivery: Delivery,
  { current, prepared, previous }: VersionSet<Row>,
): VersionSet<Row> {
  if (!holdsMany(delivery)) return { current, prepared: undefined, previous: [] };
  const isKnown = (row: Row | undefined): row is Row =>
    row !== undefined && delivery.preset.algorithms.includes(row.alg);
  const known = previous.filter(isKnown);
  if (!isKnown(prepared)) return { current, prepared: undefined, previous: known };
  return isKnown(current)
    ? { current, prepared, previous: known }
    : { current: prepared, prepared: undefined, previous: known };
}

/** The kids of a set, the newest first. */
export function kidsOf({ current, prepared, previous }: VersionSet): string[] {
  return [...prepared === undefined ? [] : [prepared], current, ...previous].map(({ kid }) => kid);
}

/** A digest of all that a delivery's files depend on. */
export function markOf({ settings, preset }: Delivery, wanted: VersionSet): string {
  const facts = (row: VersionFacts | undefined) =>
    row &&
    [row.kid, row.alg, row.key_form, row.grace_until, ...row.token_kid ? [row.token_kid] : []];
  const { current, prepared, previous } = wanted;
  const versions = [facts(current), facts(prepared), previous.map(facts)];
  const text = JSON.stringify([versions, { ...settings, replaces: null }, preset]);
  return createHash("sha256").update(text).digest("base64url");
}

/** Texts for the templates of a delivery. */
export async function dataOf(
  { name, settings: { path, parameters }, preset }: Pick<Delivery, "name" | "settings" | "preset">,
): Promise<Record<string, string>> {
  const standards = Object.entries(preset.parameters ?? {})
    .flatMap(([name, { default: value }]) => value === undefined ? [] : [[name, value]]);
  const known = { path, folder: dirname(path), name };
  const given: Record<string, string> = { ...Object.fromEntries(standards), ...parameters };
  const filled = Object.entries(given).map(async ([name, text]) => [name, await fill(text, known)]);
  return { ...Object.fromEntries(await Promise.all(filled)), ...known };
}

/** How a delivery's program is told; `undefined` if it notices by itself. */
export function reloadWay({ settings, preset }: Delivery): ReloadWay | undefined {
  if (settings.reload !== undefined) return { shell: settings.reload };
  return preset.reload ?? undefined;
}

const SUCCESSES = [200, 201, 202, 203, 204, 205, 206];

/** How a delivery's program is asked; `undefined` if it is not. */
export function probeWay({ settings, preset }: Delivery): ProbeWay | undefined {
  const { probe } = settings;
  if (probe === undefined) return preset.probe ?? undefined;
  if ("command" in probe) return { shell: probe.command };
  return { http: { url: probe.url, accepted: SUCCESSES, refused: [401, 403] } };
}

const PRIVATE_MODE = "0600";

/** Owner, group and mode of a delivery's files. @throws {RekeyError} `failed` that names an unknown user or group. */
export function rightsOf(settings: DeliverySettings): Rights {
  const { owner, group } = settings;
  const { user: userId, group: groupId, mode } = rightsAsFound(settings);
  return {
    user: mustBeKnown("user", owner, userId),
    group: mustBeKnown("group", group, groupId),
    mode,
  };
}

/** Like {@linkcode rightsOf}, for files that are to go: user and group may be gone already, with their program. */
export function rightsAsFound({ owner, group, mode }: DeliverySettings): Rights {
  const { owners } = SYSTEM;
  return {
    user: owner === null ? undefined : owners?.userId(owner),
    group: group === null ? undefined : owners?.groupId(group),
    mode: parseInt(mode ?? PRIVATE_MODE, 8),
  };
}

function mustBeKnown(
  what: "user" | "group",
  name: string | null,
  number: number | undefined,
): number | undefined {
  if (name === null || number !== undefined || SYSTEM.owners === undefined) return number;
  throw new RekeyError("failed", `Cannot deliver: this machine has no ${what} ${name}`, {
    hint: `Is the program installed? Name another one with --${
      what === "user" ? "owner" : "group"
    }`,
  });
}
