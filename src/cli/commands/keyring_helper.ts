import process from "node:process";
import type { AsyncEntry } from "@napi-rs/keyring";
import { asRefusal, RekeyError } from "../../core/errors.ts";
import { type AddonContext, unloadable, unpackedAddon } from "../../store/keyring/addon.ts";
import { type KeyringAnswer, type KeyringCall, READY } from "../../store/keyring/addon_process.ts";
import { addonContext, type Context } from "../context.ts";
import { SYSTEM } from "../../system/system.ts";

/** The helper process that `serve` starts for the keyring (see `store/keyring/addon_process.ts`). It ends at the end of stdin. */
export async function keyringHelper(_options: unknown, { secrets }: Context): Promise<void> {
  if (Deno.stdout.isTerminal()) {
    throw new RekeyError("usage", "Cannot talk to a terminal: `rekey serve` starts this by itself");
  }
  SYSTEM.serving.disableCoreDumps();
  const around = addonContext(secrets.environment.folders);
  say(READY);
  let rest = "";
  for await (const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    for (const line of lines) say(await answerTo(JSON.parse(line), around));
  }
}

function say(what: KeyringAnswer | typeof READY): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(what)}\n`));
}

let loaded: typeof AsyncEntry | undefined;

async function answerTo(call: KeyringCall, around: AddonContext): Promise<KeyringAnswer> {
  const { id, entry, method, value } = call;
  try {
    loaded ??= load(unpackedAddon(around));
  } catch (error) {
    const { code, message, hint } = asRefusal(error);
    return { id, refusal: { code, message, hint } };
  }
  try {
    const made = new loaded(...entry as ConstructorParameters<typeof AsyncEntry>);
    const make = made[method] as (...values: unknown[]) => Promise<unknown>;
    return { id, result: await make.apply(made, value) ?? null };
  } catch (error) {
    return { id, error: (error as Error).message };
  }
}

function load(path: string): typeof AsyncEntry {
  const addon = { exports: {} as { AsyncEntry: typeof AsyncEntry } };
  try {
    SYSTEM.prepareAddon();
    process.dlopen(addon, path);
  } catch (cause) {
    throw unloadable(path, cause);
  }
  return addon.exports.AsyncEntry;
}
