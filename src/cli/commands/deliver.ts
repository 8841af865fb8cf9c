import { parseStrictJson, StrictJsonError } from "../../core/strict_json.ts";
import { usageError } from "../../core/errors.ts";
import { addDelivery, type NewDelivery } from "../../deliver/add.ts";
import { removeDelivery } from "../../deliver/remove.ts";
import { describeDeliveries } from "../../deliver/description.ts";
import type { Delivery } from "../../deliver/delivery.ts";
import type { DeliveryOutcome } from "../../deliver/deliver.ts";
import { parsePreset, type Preset } from "../../deliver/preset.ts";
import { builtIn, FORMAT_PRESETS } from "../../deliver/presets.ts";
import { checkTemplate } from "../../deliver/templates.ts";
import {
  deliveryLock,
  keysVerifyingNow,
  mustHaveFollowed,
  progressOf,
  sync,
} from "../../deliver/sync.ts";
import type { Installation } from "../../store/installation.ts";
import { readInputText } from "../../files/input_files.ts";
import { SYSTEM } from "../../system/system.ts";
import { LOCK_TIMEOUT_MS } from "../../core/limits.ts";
import { warnOfLeftFiles, warnOfOutcomes } from "../deliveries_report.ts";
import { type Context, variable } from "../context.ts";
import { describeSeconds, printable, table } from "../format.ts";
import { watchDeliveries } from "./deliver_watch.ts";

/** Flags of `rekey deliver add`. */
export interface DeliverAddFlags {
  readonly name: string;
  readonly preset?: string;
  readonly format?: string;
  readonly template?: string;
  readonly presetFile?: string;
  readonly path?: string;
  readonly owner?: string;
  readonly group?: string;
  readonly mode?: string;
  readonly role?: "verifier" | "signer";
  readonly reload?: string;
  readonly probeUrl?: string;
  readonly probeCommand?: string;
  readonly set?: readonly (readonly [string, string])[];
  readonly force?: boolean;
}

/** Adds a delivery, and writes it. */
export async function deliverAdd(flags: DeliverAddFlags, context: Context): Promise<void> {
  const { secrets } = context;
  const { name, owner, group, mode, role, reload, force = false } = flags;
  const preset = await presetFrom(flags);
  const known = typeof preset === "string" ? await builtIn(preset) : preset;
  const given: NewDelivery = {
    ...{ name, preset, owner, group, mode, role, reload, force, probe: probeFrom(flags) },
    parameters: Object.fromEntries(flags.set ?? []),
    path: flags.path ??
      (known?.path === undefined ? standardPath(name, known, context) : undefined),
  };
  const { installation } = await secrets.openFresh();
  using _lock = await deliveryLock(installation, LOCK_TIMEOUT_MS);
  await addDelivery(installation, given);
  const outcomes = await sync(secrets, { names: [name], force });
  await report(outcomes, context, "Added");
}

async function presetFrom(flags: DeliverAddFlags): Promise<string | Preset> {
  const { preset, format, template, presetFile } = flags;
  const given = [preset, format, template, presetFile].filter((one) => one !== undefined);
  if (given.length !== 1) {
    throw usageError(
      "Name what to deliver: one of --preset, --format, --template and --preset-file",
      "`rekey deliver presets` lists presets and formats",
    );
  }
  if (presetFile !== undefined) return await parsePreset(json(presetFile));
  if (template !== undefined) return await presetOfTemplate(readInputText(template));
  const name = (preset ?? format)!;
  if (await builtIn(name) !== undefined) return name;
  throw usageError("There is no such preset", "`rekey deliver presets` lists them");
}

function json(path: string): unknown {
  const text = readInputText(path);
  if (text.length > LONGEST_PRESET) {
    throw usageError(
      `Cannot use ${path}: it has more than ${LONGEST_PRESET} characters`,
      "Is it the right file?",
    );
  }
  try {
    return parseStrictJson(new TextEncoder().encode(text));
  } catch (error) {
    if (!(error instanceof StrictJsonError)) throw error;
    throw usageError(
      `Cannot use ${path}: ${error.message}`,
      "`rekey deliver presets NAME` prints one to begin with",
    );
  }
}

const LONGEST_PRESET = 2 ** 20;

// A template without a list has room for one key.
async function presetOfTemplate(template: string): Promise<Preset> {
  await checkTemplate(template, ["path", "folder", "name"]);
  const [format] = FORMAT_PRESETS;
  const { format: _, parameters: __, ...rest } = format!;
  const keys = /\{\{[#&{ ]*(?:verifying|previous|prepared)\b/.test(template) ? "many" : 1;
  return { ...rest, name: "template", summary: "a template of the operator", keys, template };
}

function probeFrom({ probeUrl, probeCommand }: DeliverAddFlags): NewDelivery["probe"] {
  if (probeUrl !== undefined && probeCommand !== undefined) {
    throw usageError("Cannot use --probe-url together with --probe-command", "Give one of them");
  }
  if (probeUrl !== undefined) return { url: probeUrl };
  return probeCommand === undefined ? undefined : { command: probeCommand };
}

const ENDINGS: Record<string, string> = { env: ".env", json: ".json", jwks: ".json", pem: ".pem" };

// Memory-backed: what is written there is on no disk, and in no copy of one.
function standardPath(
  name: string,
  preset: Preset | undefined,
  { secrets: { environment: { app } } }: Context,
): string | undefined {
  const [service] = variable("RUNTIME_DIRECTORY")?.split(":") ?? [];
  const session = variable("XDG_RUNTIME_DIR");
  const system = SYSTEM.owners?.me() === 0 ? "/run/rekey" : undefined;
  const folder = service ?? (session && SYSTEM.paths.join(session, "rekey")) ?? system;
  const file = `${name}${ENDINGS[preset?.format ?? ""] ?? ""}`;
  return folder && SYSTEM.paths.join(folder, app.name, file);
}

/** Shows all deliveries. */
export async function deliverList(_options: unknown, { secrets, output }: Context): Promise<void> {
  const { installation } = await secrets.openFresh();
  const facts = describeDeliveries(installation, await progressOf(installation));
  if (output.options.json) return facts.forEach((one) => output.line(one));
  if (facts.length === 0) return output.remark("There are no deliveries: `rekey deliver add`");
  output.table([
    ["NAME", "PRESET", "VERSION", "STATE", "PATH"],
    ...facts.map(({ name, preset, version, followed, failure, lag_seconds, path }) => [
      name,
      preset,
      String(version ?? "-"),
      followed ? "followed" : stateText(failure, lag_seconds),
      printable(path),
    ]),
  ]);
}

function stateText(failure: string | null, lag: number | null): string {
  const since = lag === null ? "" : ` for ${describeSeconds(lag)}`;
  return `${failure === null ? "behind" : "failed"}${since}`;
}

function keysText({ settings: { role }, preset: { keys } }: Delivery): string {
  if (role === "signer") return "the current one";
  return keys === 1 ? "one: a rotation is a hard cut, also with --grace" : "all that verify";
}

function probeText({ settings: { probe }, preset }: Delivery): string {
  if (probe === undefined) return preset.probe ? "the preset's" : "none: the program is not asked";
  if ("command" in probe) return probe.command;
  // A user, a password and a query are left out, as in messages.
  const url = URL.parse(probe.url);
  return url === null ? "a URL" : url.origin + url.pathname;
}

/** Shows one delivery. */
export async function deliverShow(
  { name }: { name: string },
  { secrets, output }: Context,
): Promise<void> {
  const { installation } = await secrets.openFresh();
  const progress = await progressOf(installation, [name]);
  const [facts] = describeDeliveries(installation, progress);
  const { settings, preset } = progress[0]!.delivery;
  const { owner, group, mode, parameters, reload, probe } = settings;
  const more = { owner, group, mode, parameters, reload: reload ?? null, probe: probe ?? null };
  const { wanted, written, confirmed, followed_at, failed_at, failure, lag_seconds } = facts!;
  output.result(
    { ...facts, ...more },
    table([
      ["name", name],
      ["preset", `${settings.preset}: ${preset.summary}`],
      ["role", settings.role],
      ["keys", keysText(progress[0]!.delivery)],
      ["path", settings.path],
      [
        "rights",
        `${mode ?? "private"}, owner ${owner ?? "unchanged"}, group ${group ?? "unchanged"}`,
      ],
      ...Object.entries(parameters).map(([key, value]) => ["set", `${key}=${value}`]),
      ["reload", reload ?? preset.reload_kind],
      ["probe", probeText(progress[0]!.delivery)],
      ["connections", preset.connections],
      ["should hold", wanted.join(", ")],
      ["written", written.join(", ") || "nothing"],
      ["confirmed", confirmed.join(", ") || "nothing"],
      ["followed", followed_at ?? "never"],
      ...lag_seconds === null ? [] : [["behind", describeSeconds(lag_seconds)]],
      ...failure === null ? [] : [["failed", `${failed_at}: ${failure}`]],
    ]).map(printable),
  );
}

/** Flags of `rekey deliver sync`. */
export interface DeliverSyncFlags {
  readonly name: readonly string[];
  readonly force?: boolean;
  readonly watch?: boolean;
}

/** Brings deliveries up to date. */
export async function deliverSync(options: DeliverSyncFlags, context: Context): Promise<void> {
  const { secrets } = context;
  const { name: names, force, watch } = options;
  if (watch) {
    if (names.length === 0) return await watchDeliveries(context);
    throw usageError("Cannot use --watch with a name", "It watches all deliveries");
  }
  const { installation } = await secrets.openFresh();
  using _lock = await deliveryLock(installation, LOCK_TIMEOUT_MS);
  await report(await sync(secrets, { names, force }), context, "Followed:");
}

/** Asks every program. */
export async function deliverCheck(
  { name: names }: { name: readonly string[] },
  context: Context,
): Promise<void> {
  const { secrets } = context;
  const { installation } = await secrets.openFresh();
  using _lock = await deliveryLock(installation, LOCK_TIMEOUT_MS);
  const before = await keysVerifyingNow(secrets);
  await report(await sync(secrets, { names, before, checkOnly: true }), context, "Checked");
}

// Prints how far deliveries have come; one that has not followed is exit status 5.
async function report(
  outcomes: readonly DeliveryOutcome[],
  context: Context,
  did: string,
): Promise<void> {
  const { output, secrets } = context;
  const { installation } = await secrets.open();
  const names = outcomes.map(({ name }) => name);
  const progress = names.length === 0 ? [] : await progressOf(installation, names);
  for (const [at, facts] of describeDeliveries(installation, progress).entries()) {
    if (output.options.json) output.line(facts);
    else if (facts.failure === null) {
      const kids = facts.confirmed.join(", ");
      output.result({}, [`${did} ${facts.name}: ${printable(facts.path)} (kid ${kids})`]);
    } else if (did === "Added") {
      // So that it is not added again.
      const when = knowsCurrent(installation, progress[at]!.delivery)
        ? "once its program runs, `rekey deliver sync` is enough"
        : "it gets a key as soon as there is one that it knows";
      output.remark(`${facts.name} is added: ${when}`);
    }
  }
  warnOfOutcomes(outcomes, output);
  mustHaveFollowed(outcomes);
}

function knowsCurrent({ versions }: Installation, { preset: { algorithms } }: Delivery): boolean {
  const alg = versions.current()?.alg;
  return alg === undefined || algorithms.includes(alg);
}

/** Ends a delivery. */
export async function deliverRemove(
  { name, keepFiles = false }: { name: string; keepFiles?: boolean },
  { secrets, output }: Context,
): Promise<void> {
  const { installation } = await secrets.open();
  using _lock = await deliveryLock(installation, LOCK_TIMEOUT_MS);
  const { files, foreign } = await removeDelivery(installation, name, keepFiles);
  const what = keepFiles
    ? "its files stay, with the keys in them"
    : foreign.length === 0
    ? "its files are deleted"
    : "what is not rekey's stays";
  output.result({ name, files, files_kept: keepFiles, files_left: foreign }, [
    `Removed ${name}: ${what}`,
  ]);
  warnOfLeftFiles(foreign, output);
}
