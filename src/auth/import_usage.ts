import { isRekeyError, RekeyError } from "../core/errors.ts";
import {
  type Encoding,
  ENCODINGS,
  forgivingBase64,
  importedText,
  unreadable,
} from "../secret/import/imported.ts";
import type { Source } from "../secret/import/source.ts";
import type { Reading } from "../secret/import/reading.ts";
import { mustSuitHmac, provenKey, statedKey } from "./imported_key.ts";
import { notSigned, type SecretUsage, type StatedUsage } from "./secret_usage.ts";
import { type Algorithm, HMAC_ALGORITHMS } from "../core/algorithms.ts";
import type { ClaimPolicy } from "../jwt/policy.ts";
import { isHmacOf } from "../jwt/signatures.ts";
import { parseJws } from "../jwt/jws.ts";
import { refuseClaims, type TokenContent } from "../jwt/claims.ts";

/**
 * How the application uses its secret, from the flags and the source.
 *
 * @throws {RekeyError} `usage` when the source holds no secret, or the flags contradict it.
 */
export function statedUsage({ reading, doubt }: Source, said: StatedUsage): SecretUsage {
  if (doubt !== undefined) throw doubt;
  if (reading.key !== undefined) return statedKey(reading.key, said);
  mustSuitHmac(said);
  return usageOf(reading, said.encoding ?? reading.encoding ?? "text", algorithmOf(reading, said));
}

/**
 * How the application uses its secret, from a token that it has signed: tries each reading and encoding until the token
 * verifies.
 *
 * @param policy for the token's claims at `now`, in seconds.
 * @throws {RekeyError} a code with exit status 3 when the token verifies with none of them, or its claims are not valid.
 */
export function provenUsage(
  source: Source,
  said: StatedUsage,
  token: string,
  policy: ClaimPolicy,
  now: number,
): SecretUsage {
  const parsed = parseJws(token);
  const { header, payload, signed, signature } = parsed;
  const valid = () =>
    checkClaims({ claims: payload, type: header.typ, adopted: true }, policy, now);
  const { key } = source.reading;
  if (key !== undefined) {
    const proven = provenKey(key, said, parsed);
    valid();
    return proven;
  }
  mustSuitHmac(said);
  const wanted = algorithmOf(source.reading, said);
  const alg = HMAC_ALGORITHMS.find((one) => one === header.alg && one === (wanted ?? one));
  if (alg === undefined) throw otherAlgorithm(wanted);
  for (const use of candidateUsages(source, said)) {
    if (!isHmacOf(use.secret, use.keyForm, alg, signed, signature)) continue;
    valid();
    return { ...use, alg };
  }
  throw source.doubt ?? notSigned();
}

function checkClaims(token: TokenContent, policy: ClaimPolicy, now: number): void {
  try {
    refuseClaims(token, policy, now);
  } catch (error) {
    if (!isRekeyError(error)) throw error;
    throw new RekeyError(error.code, error.message, {
      hint: "The signature is valid. Give a token that is valid now, or relax the checks with " +
        "--leeway, --allow-no-exp, --iss, --aud, --typ",
      cause: error,
    });
  }
}

function* candidateUsages(
  { reading, others }: Source,
  { encoding }: StatedUsage,
): Generator<SecretUsage> {
  for (const one of [reading, ...others]) {
    const fixed = encoding ?? one.encoding;
    for (const tried of fixed === undefined ? ENCODINGS : [fixed]) {
      const use = orUndefined(() => usageOf(one, tried, undefined));
      if (use !== undefined) yield use;
    }
  }
  if (["base64", undefined].includes(encoding ?? reading.encoding)) {
    for (const one of [reading, ...others]) yield* lenientBase64Usage(one);
  }
}

// Decoders of many languages skip characters that are not base64, so an application may use such a secret unknowingly.
function* lenientBase64Usage(reading: Reading): Generator<SecretUsage> {
  const text = forgivingBase64(reading.text);
  const use = text === undefined
    ? undefined
    : orUndefined(() => usageOf({ ...reading, text }, "base64", undefined));
  if (use !== undefined) yield use;
}

function usageOf(
  { text, kid }: Reading,
  encoding: Encoding,
  alg: Algorithm | undefined,
): SecretUsage {
  return { ...importedText(text, encoding), encoding, alg, kid };
}

// A text that does not decode was not in this encoding.
function orUndefined<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof RekeyError) return undefined;
    throw error;
  }
}

function algorithmOf({ alg, encoding }: Reading, said: StatedUsage): Algorithm | undefined {
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
    hint: wanted === undefined
      ? "Import the private key that signs such tokens"
      : "Leave out --alg",
  });
}
