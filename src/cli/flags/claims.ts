import { InvalidArgumentError } from "commander";
import { parseStrictJson, StrictJsonError } from "../../core/strict_json.ts";
import type { TableCommand } from "./command.ts";

/** One claim of a command line. */
export type Claim = readonly [name: string, value: unknown];

/** Flags that say what a token is to say besides what rekey sets itself. */
export interface ClaimFlags {
  readonly aud?: readonly string[];
  readonly scope?: readonly string[];
  readonly claim?: readonly Claim[];
  readonly claimsFile?: string;
}

/** Adds the flags of {@linkcode ClaimFlags}. */
export function claimOptions(command: TableCommand): TableCommand {
  return command
    .repeatable("--aud <audience>", "audience claim")
    .repeatable("--scope <scope>", "scope claim")
    .repeatable("--claim <name=text>", "another claim, a text; name:=JSON for any value", claim)
    .option("--claims-file <path>", "a JSON object of further claims; - for stdin");
}

// The first = divides, so that a value may have any number of them. A name with = goes into a file.
function claim(text: string, before: readonly unknown[]): Claim {
  const [, name, colon, value] = /^([^=]*?)(:?)=(.*)$/s.exec(text) ?? [];
  if (!name || value === undefined) {
    throw new InvalidArgumentError("Write name=text, or name:=JSON.");
  }
  if ((before as readonly Claim[]).some(([other]) => other === name)) {
    throw new InvalidArgumentError("A claim is there twice.");
  }
  return [name, colon === "" ? value : json(value)];
}

function json(text: string): unknown {
  try {
    return parseStrictJson(new TextEncoder().encode(text));
  } catch (error) {
    if (!(error instanceof StrictJsonError)) throw error;
    throw new InvalidArgumentError(`What is after := cannot be read: ${error.message}.`);
  }
}
