import { ClaimsError, refusedVerdict } from "../../jwt/claims.ts";
import type { Verified } from "../../jwt/verifier.ts";
import { MAX_TOKEN_LENGTH } from "../../jwt/jws.ts";
import { rfc3339 } from "../../core/clock.ts";
import { isRekeyError, RekeyError, usageError } from "../../core/errors.ts";
import type { Algorithm } from "../../core/algorithms.ts";
import type { Context } from "../context.ts";
import { printable, table } from "../format.ts";
import { Reported } from "../output.ts";
import { readStdin } from "../terminal.ts";

/** Flags of `rekey verify`. Durations in seconds. */
export interface VerifyFlags {
  readonly token: string | undefined;
  readonly iss?: readonly string[];
  readonly aud?: readonly string[];
  readonly sub?: string;
  readonly alg?: Algorithm;
  readonly typ?: string;
  readonly leeway?: number;
  readonly maxAge?: number;
  readonly allowNoExp?: boolean;
  readonly policy?: boolean;
}

const EXIT_TOKEN_NOT_VALID = 3;

// Leaves room for white space around the longest token.
const LONGEST_INPUT = 2 * MAX_TOKEN_LENGTH;

/** Verifies a token; with `--json` the result goes to stdout even if the token is not valid. */
export async function verify(options: VerifyFlags, { secrets, output }: Context): Promise<void> {
  const token = options.token === undefined || options.token === "-"
    ? tokenFromStdin()
    : options.token;
  try {
    const verified = await secrets.verify(token, {
      issuer: options.iss,
      audience: options.aud,
      subject: options.sub,
      algorithm: options.alg,
      leeway: options.leeway,
      maxAge: options.maxAge,
      allowNoExpiry: options.allowNoExp,
      type: options.typ,
      ignoreAppPolicy: options.policy === false,
    });
    output.result({ valid: true, ...verified }, human(verified));
  } catch (error) {
    if (!isRekeyError(error) || error.exitCode !== EXIT_TOKEN_NOT_VALID) throw error;
    if (!output.options.json) throw withHint(error, options);
    output.result(refusedVerdict(error), []);
    throw new Reported(error);
  }
}

// What the asker's own flags ask for needs no hint.
function withHint(error: RekeyError, { allowNoExp, iss, aud, typ }: VerifyFlags): RekeyError {
  const failures = error instanceof ClaimsError ? error.failures : [];
  const fails = (...claims: string[]) =>
    failures.some(({ claim, code }) => claims.includes(claim) && code === "claim_mismatch");
  const asked = Object.entries({ iss, aud, typ }).filter(([, flag]) => flag === undefined);
  const hint = !allowNoExp && fails("exp")
    ? "--allow-no-exp accepts a token that never expires; " +
      "`rekey policy set --allow-no-exp` lets every program do so"
    : fails(...asked.map(([claim]) => claim))
    ? "The policy of this app asks for that: `rekey policy show`; --no-policy leaves it out"
    : undefined;
  return hint === undefined ? error : new RekeyError(error.code, error.message, { hint });
}

function tokenFromStdin(): string {
  if (!Deno.stdin.isTerminal()) return readStdin(LONGEST_INPUT);
  throw usageError(
    "No token was given",
    "Give it as an argument, or pipe it in: `rekey verify < FILE`",
  );
}

function human({ version, kid, claims }: Verified): string[] {
  const shown = ([name, value]: [string, unknown]) => [name, claimText(name, value)].map(printable);
  const rows = Object.entries(claims).map(shown);
  return [`valid: signed with version ${version} (kid ${kid})`, ...table(rows)];
}

const INSTANTS = ["exp", "nbf", "iat"];

function claimText(name: string, value: unknown): string {
  if (INSTANTS.includes(name) && typeof value === "number") return rfc3339(value * 1000);
  return typeof value === "string" ? value : JSON.stringify(value);
}
