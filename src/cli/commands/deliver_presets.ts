import { usageError } from "../../core/errors.ts";
import { builtIn, FORMAT_PRESETS, PRESET_NAMES } from "../../deliver/presets.ts";
import type { Context } from "../context.ts";

/** Shows formats and presets. */
export async function deliverPresets(
  { name, print }: { name?: string; print?: string },
  { output }: Context,
): Promise<void> {
  if (name !== undefined) return await showPreset(name, print, output);
  const named = await Promise.all(PRESET_NAMES.map(builtIn));
  const presets = [...FORMAT_PRESETS, ...named.filter((one) => one !== undefined)];
  if (output.options.json) return presets.forEach((one) => output.line(one));
  output.table([
    ["NAME", "KEYS", "ALGORITHMS", "TAKES UP", "WHAT", "CONNECTIONS"],
    ...presets.map(({ name, keys, algorithms, reload_kind, connections, summary }) => [
      name,
      String(keys),
      algorithms.join(","),
      reload_kind,
      summary,
      connections,
    ]),
  ]);
}

async function showPreset(
  name: string,
  file: string | undefined,
  output: Context["output"],
): Promise<void> {
  const preset = await builtIn(name);
  if (preset === undefined) {
    throw usageError("There is no such preset", "`rekey deliver presets` lists them");
  }
  if (file === undefined) return output.text(preset, JSON.stringify(preset, null, 2).split("\n"));
  const text = preset.files?.[file];
  if (text !== undefined) return output.text({ [file]: text }, [text.replace(/\n$/, "")]);
  throw usageError(
    `${name} has no such file`,
    `It has ${Object.keys(preset.files ?? {}).join(", ") || "none"}`,
  );
}
