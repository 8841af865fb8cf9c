import { placeName } from "../../core/secret_store.ts";
import { RekeyError } from "../../core/errors.ts";
import { type Encoding, importedSecret } from "../../secret/imported.ts";
import { weaknesses } from "../../secret/weakness.ts";
import type { Algorithm } from "../../store/installation.ts";
import { readFileIfThere } from "../../files/private_files.ts";
import { type Context, variable as environmentVariable } from "../context.ts";
import { describeVersion } from "../describe.ts";
import type { PolicyFlags } from "../policy_flags.ts";
import { readStdinBytes } from "../terminal.ts";
import { applyPolicy } from "./policy.ts";
import { rotate } from "./rotate.ts";

/** Flags of `rekey import`. Durations in seconds. */
export interface ImportFlags extends PolicyFlags {
  readonly fromEnv?: string;
  readonly file?: string;
  readonly encoding?: Encoding;
  readonly alg?: Algorithm;
  readonly allowWeak?: boolean;
  readonly thenRotate?: boolean;
  readonly grace: number;
  readonly reason?: string;
}

const LOCK_TIMEOUT_SECONDS = 10;
const LONGEST_INPUT = 65_536;

/** Makes a hard-coded secret version 1. */
export async function importSecret(options: ImportFlags, context: Context): Promise<void> {
  const { secrets, output, store } = context;
  const { alg = "HS512", encoding = "text", thenRotate = false } = options;
  if (options.grace > 0 && !thenRotate) {
    throw new RekeyError("usage", "Cannot give a grace window: nothing is rotated", {
      hint: "Add --then-rotate, or leave out --grace",
    });
  }
  const { data, origin } = source(options);
  const { secret, keyForm } = importedSecret(data, encoding);
  const weak = weaknesses(secret.hmacKey(keyForm), alg);
  if (weak.length > 0 && !options.allowWeak) throw tooWeak(weak, options.alg);
  const reason = ["imported from", origin, options.reason && `(${options.reason})`];
  const given = { secret, reason: reason.filter(Boolean).join(" ") };
  const { version, made } = await secrets.import(given, { store, alg, keyForm });
  await applyPolicy(options, context);
  const app = secrets.environment.app.name;
  const named = `version ${version.version} (kid ${version.kid})`;
  output.result(
    { ...describeVersion(app, version), imported: made, weaknesses: weak },
    [
      made
        ? `Imported the JWT secret of ${app} as ${named} in ${placeName(version.location)}`
        : `Nothing to do: the secret was imported before as ${named}, which is ${version.state}`,
    ],
  );
  if (weak.length > 0) {
    output.warning(`the secret is weak: ${weak.join("; ")}. Move off it with \`rekey rotate\``);
  }
  if (thenRotate && version.state === "current") {
    const flags = {
      reason: options.reason ?? "moved off an imported secret",
      grace: options.grace,
    };
    await rotate({ ...flags, force: true, lockTimeout: LOCK_TIMEOUT_SECONDS }, context);
  }
}

function source({ fromEnv, file }: ImportFlags): { data: Uint8Array; origin: string } {
  if (fromEnv !== undefined && file !== undefined) {
    throw new RekeyError("usage", "Cannot import from both a variable and a file", {
      hint: "Give one of --from-env and --file",
    });
  }
  if (fromEnv !== undefined) {
    const value = variable(fromEnv);
    return { data: new TextEncoder().encode(value), origin: "an environment variable" };
  }
  if (file !== undefined) {
    const data = readFileIfThere(file);
    if (data !== undefined) return { data, origin: "a file" };
    throw new RekeyError("usage", "Cannot import the file: it is not there", {
      hint: "Name another one with --file",
    });
  }
  if (Deno.stdin.isTerminal()) {
    throw new RekeyError("usage", "Cannot import from a terminal, which would show the secret", {
      hint: "Use --from-env or --file, or pipe it in",
    });
  }
  return { data: readStdinBytes(LONGEST_INPUT), origin: "stdin" };
}

function variable(name: string): string {
  const plain = /^[A-Za-z_]\w{0,127}$/.test(name);
  const value = plain ? environmentVariable(name) : undefined;
  if (value !== undefined) return value;
  // Not said again: somebody may have written the value where the name belongs.
  throw new RekeyError("usage", "Cannot import the environment variable: it is not set", {
    hint: "--from-env takes the name of a variable",
  });
}

function tooWeak(weak: string[], alg: Algorithm | undefined): RekeyError {
  const which = alg === undefined ? "If its tokens are HS256, say so with --alg; " : "";
  return new RekeyError("secret_weak", `Cannot import the secret, it is weak: ${weak.join("; ")}`, {
    hint: `${which}--allow-weak imports it nevertheless, best with --then-rotate --grace 24h`,
  });
}
