import { isRekeyError, RekeyError } from "../core/errors.ts";
import type { KeyForm, Secret } from "../core/secret.ts";
import {
  type Encoding,
  ENCODINGS,
  forgivingBase64,
  importedText,
  unreadable,
} from "../secret/import/imported.ts";
import type { Reading, Source } from "../secret/import/source.ts";
import { type Algorithm, ALGORITHMS } from "../store/environment.ts";
import { parseJws } from "../jwt/jws.ts";
import { isSignedWith } from "../jwt/signature.ts";
import { type Claimant, type ClaimPolicy, refuseClaims } from "../jwt/claims.ts";

/** A secret, and how the application uses it. */
export interface SecretUsage {
  readonly secret: Secret;
  readonly keyForm: KeyForm;
  readonly encoding: Encoding;
  readonly alg: Algorithm | undefined;
  /** The name that it had. */
  readonly kid?: string | undefined;
}

/** What the operator says of it. */
export interface UseOptions {
  readonly encoding?: Encoding | undefined;
  readonly alg?: Algorithm | undefined;
}

/**
 * How the application uses its secret, by what is said of it.
 *
 * @throws {RekeyError} `usage` when it is plainly no secret, or something else is said of it than it says itself.
 */
export function saidUse({ reading, doubt }: Source, said: UseOptions): SecretUsage {
  if (doubt !== undefined) throw doubt;
  return useOf(reading, said.encoding ?? reading.encoding ?? "text", algorithmOf(reading, said));
}

/**
 * How the application uses its secret, by a token that it has signed: of every reading, encoding and algorithm the one
 * with which the token verifies.
 *
 * @param policy what its claims must be, at `now` in seconds.
 * @throws {RekeyError} a code with exit status 3 when there is none, or the token is not valid.
 */
export function provenUse(
  source: Source,
  said: UseOptions,
  token: string,
  policy: ClaimPolicy,
  now: number,
): SecretUsage {
  const { header, payload, signed, signature } = parseJws(token);
  const wanted = algorithmOf(source.reading, said);
  const alg = ALGORITHMS.find((one) => one === header.alg && one === (wanted ?? one));
  if (alg === undefined) throw otherAlgorithm(wanted);
  for (const use of everyUse(source, said)) {
    if (!isSignedWith(use.secret, use.keyForm, alg, signed, signature)) continue;
    mustBeLive({ claims: payload, type: header.typ, adopted: true }, policy, now);
    return { ...use, alg };
  }
  throw source.doubt ?? notSigned();
}

function mustBeLive(claimant: Claimant, policy: ClaimPolicy, now: number): void {
  try {
    refuseClaims(claimant, policy, now);
  } catch (error) {
    if (!isRekeyError(error)) throw error;
    throw new RekeyError(error.code, error.message, {
      hint: "Its signature is right. Give a token that is valid now, or say what is accepted: " +
        "--leeway, --allow-no-exp, --iss, --aud, --typ",
      cause: error,
    });
  }
}

function* everyUse({ reading, others }: Source, { encoding }: UseOptions): Generator<SecretUsage> {
  for (const one of [reading, ...others]) {
    const fixed = encoding ?? one.encoding;
    for (const tried of fixed === undefined ? ENCODINGS : [fixed]) {
      const use = attempt(() => useOf(one, tried, undefined));
      if (use !== undefined) yield use;
    }
  }
  if (["base64", undefined].includes(encoding ?? reading.encoding)) {
    for (const one of [reading, ...others]) yield* forgivingUse(one);
  }
}

// Decoders of many languages forgive what is no base64, and applications have such secrets without knowing.
function* forgivingUse(reading: Reading): Generator<SecretUsage> {
  const text = forgivingBase64(reading.text);
  const use = text === undefined
    ? undefined
    : attempt(() => useOf({ ...reading, text }, "base64", undefined));
  if (use !== undefined) yield use;
}

function useOf(
  { text, kid }: Reading,
  encoding: Encoding,
  alg: Algorithm | undefined,
): SecretUsage {
  return { ...importedText(text, encoding), encoding, alg, kid };
}

// What is not in an encoding was not meant so.
function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof RekeyError) return undefined;
    throw error;
  }
}

function algorithmOf({ alg, encoding }: Reading, said: UseOptions): Algorithm | undefined {
  if (encoding !== undefined && (said.encoding ?? encoding) !== encoding) {
    throw unreadable(`a JWK's key is ${encoding}`, "Leave out --encoding");
  }
  if (alg !== undefined && (said.alg ?? alg) !== alg) {
    throw unreadable(`the JWK is for ${alg}`, "Leave out --alg");
  }
  return said.alg ?? alg;
}

function otherAlgorithm(wanted: Algorithm | undefined): RekeyError {
  const names = wanted ?? "one of HMAC's (HS256, HS384, HS512)";
  return new RekeyError("alg_not_allowed", `Cannot import: the token's algorithm is not ${names}`, {
    hint: wanted === undefined ? "Its key is no secret that can be imported" : "Leave out --alg",
  });
}

function notSigned(): RekeyError {
  return new RekeyError(
    "bad_signature",
    "Cannot import: the token was not signed with this value",
    {
      hint: "It is another secret, or the application makes its key of it in a way of its own",
    },
  );
}
