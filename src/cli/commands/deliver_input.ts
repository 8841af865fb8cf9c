import { usageError } from "../../core/errors.ts";
import { parseStrictJson, StrictJsonError } from "../../core/strict_json.ts";
import type { NewDelivery } from "../../deliver/add.ts";
import { LONGEST_TEMPLATE, parsePreset, type Preset } from "../../deliver/preset.ts";
import { builtIn, FORMAT_PRESETS } from "../../deliver/presets.ts";
import { checkTemplate, usesOtherKeys } from "../../deliver/templates.ts";
import { readInputText } from "../../files/input_files.ts";
import { SYSTEM } from "../../system/system.ts";
import { type Context, variable } from "../context.ts";

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

/** The delivery that flags describe. @throws {RekeyError} `usage` when they contradict each other, or name no preset. */
export async function newDeliveryFrom(
  flags: DeliverAddFlags,
  context: Context,
): Promise<NewDelivery> {
  const { name, owner, group, mode, role, reload, force = false } = flags;
  const preset = await presetFrom(flags);
  const known = typeof preset === "string" ? await builtIn(preset) : preset;
  return {
    ...{ name, preset, owner, group, mode, role, reload, force, probe: probeFrom(flags) },
    parameters: Object.fromEntries(flags.set ?? []),
    path: flags.path ??
      (known?.path === undefined ? standardPath(name, known, context) : undefined),
  };
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
  if (template !== undefined) return await presetOfTemplate(limited(template, LONGEST_TEMPLATE));
  const name = (preset ?? format)!;
  if (await builtIn(name) !== undefined) return name;
  throw usageError("There is no such preset", "`rekey deliver presets` lists them");
}

function json(path: string): unknown {
  const text = limited(path, LONGEST_PRESET);
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

function limited(path: string, longest: number): string {
  const text = readInputText(path);
  if (text.length <= longest) return text;
  throw usageError(
    `Cannot use ${path}: it has more than ${longest} characters`,
    "Is it the right file?",
  );
}

// A template without a list has room for one key.
async function presetOfTemplate(template: string): Promise<Preset> {
  if (template.trim() === "") {
    throw usageError("Cannot use the template: it is empty", "Is it the right file?");
  }
  await checkTemplate(template, ["path", "folder", "name"]);
  const [format] = FORMAT_PRESETS;
  const { format: _, parameters: __, ...rest } = format!;
  const keys = await usesOtherKeys(template) ? "many" : 1;
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
