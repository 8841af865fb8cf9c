import { InvalidArgumentError, Option } from "commander";
import { parseStrictJson, StrictJsonError } from "../../core/strict_json.ts";
import type { Commands, TableCommand } from "./command.ts";
import { CHOICES, duration, nonEmpty } from "./values.ts";

/** `issue`, `verify` and `jwks`. */
export const tokenCommands: Commands = {
  issue: (program) => {
    const issue = program.command("issue")
      .description("sign and print a token")
      .requiredOption("--sub <subject>", "subject of the token", nonEmpty)
      .duration("--ttl <duration>", "how long it is valid", "1h")
      .addOption(
        new Option(
          "--no-exp",
          "without an expiry, for programs that need that: only a rotation ends it",
        )
          .conflicts("ttl"),
      )
      .option("--iss <issuer>", "issuer claim")
      .addHelpText(
        "after",
        `
  Example:
    rekey issue --sub alice --aud rmq --claim 'tags:=["a","b"]'`,
      )
      .runs(async () => (await import("../commands/issue.ts")).issue);
    claimOptions(issue);
  },
  verify: (program) => {
    program.command("verify")
      .description("verify a token; exit 3 if it is not valid")
      .argument(
        "[token]",
        "the token; by default or with - from stdin, hidden from process lists",
      )
      .repeatable("--iss <issuer>", "the issuer that it must have, or one of several")
      .repeatable("--aud <audience>", "an audience that it must have, or one of several")
      .option("--sub <subject>", "the subject that it must have")
      .choice(
        "--alg <name>",
        "the algorithm that it must have (default: that of the version which signed it)",
        CHOICES.alg,
      )
      .option("--typ <type>", "the typ that it must have")
      .option(
        "--leeway <duration>",
        "tolerance for clocks that differ (default: the policy's)",
        duration,
      )
      .option("--max-age <duration>", "longest time since it was issued", duration)
      .option("--allow-no-exp", "accept a token that never expires")
      .option("--no-policy", "ignore the app's policy (`rekey policy show`)")
      .runs(async () => (await import("../commands/tokens.ts")).verify);
  },
  jwks: (program) => {
    program.command("jwks")
      .description("print the public keys that verify the tokens, as a JWK Set")
      .option("--pem", "only the one that signs now, in PEM")
      .runs(async () => (await import("../commands/jwks.ts")).jwks);
  },
};

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
