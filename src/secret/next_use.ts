import {
  type Algorithm,
  type HmacAlgorithm,
  isHmac,
  isRsa,
  type PairAlgorithm,
} from "../core/algorithms.ts";
import type { MaybeAsync } from "../core/async.ts";
import { asRefusal, RekeyError, usageError } from "../core/errors.ts";
import { LEAST_RSA_BITS, longestPairText, usualAlgorithm } from "../core/key_pair.ts";
import { type KeyForm, Secret, type Shape, STANDARD_SHAPE } from "../core/secret.ts";
import { signCompact, verifyingKey } from "../jwt/signatures.ts";
import type { Installation } from "../store/installation.ts";
import type { Version } from "../store/sqlite/versions.ts";
import type { NewSecret, OpenSecret } from "./backend.ts";

/** How a version is used, and the shape of the values that rekey makes for it. */
export interface Use extends Shape {
  readonly alg: Algorithm;
  readonly keyForm: KeyForm;
}

/** Sizes of the hashes, in bytes. */
const HASH_BYTES: Readonly<Record<HmacAlgorithm, number>> = { HS256: 32, HS384: 48, HS512: 64 };

/**
 * Use and shape of the next version: what is wanted, else as the current version has it. An imported value is used as it
 * is wanted; its shape is that of the value after it.
 *
 * @param before `undefined` for the first version.
 * @param imported a value that rekey does not make.
 * @throws {RekeyError} `usage` when the secret would be shorter than its algorithm needs, or is of another kind.
 */
export function nextUse(
  before: Installation | undefined,
  wanted: NewSecret,
  imported?: Secret,
): Use {
  const use = () => useOf(before, wanted, imported);
  // Algorithm and shape are of one version.
  return before === undefined ? use() : before.database.snapshot(use);
}

function useOf(before: Installation | undefined, wanted: NewSecret, imported?: Secret): Use {
  const pair = imported?.pair;
  const alg = wanted.alg ?? usualFor(imported, before?.algorithm ?? "HS512");
  mustSuit(alg, imported);
  return isHmac(alg)
    ? hmacUse(alg, before, wanted, imported === undefined)
    : pairUse(alg, before, wanted, pair?.rsaBits);
}

/** Gives a version its value. */
export type MakeValue = (use: Use) => MaybeAsync<Secret>;

/** A new value for a use. */
export function newSecret(use: Use): MaybeAsync<Secret> {
  return isHmac(use.alg) ? Secret.generate(use) : Secret.generatePair(use.alg, use.bytes * 8);
}

/**
 * The next version's value, made before the lock is taken if that takes long, as it does for RSA: every other command that
 * changes something would wait for it.
 *
 * @param isDone whether no version is due, as far as this machine knows.
 * @returns gives one version its value. Under the lock another use may turn out to be wanted; then it makes another.
 * @throws {RekeyError} as {@linkcode nextUse} does.
 */
export async function valueAhead(
  { installation, backend }: OpenSecret,
  wanted: NewSecret,
  isDone: () => boolean,
): Promise<MakeValue> {
  if (isDone() || !isRsa(nextUse(installation, wanted).alg)) return newSecret;
  // Another machine may have been first. If etcd does not answer, the change itself says so.
  await backend.ensureFresh(installation).catch(asRefusal);
  if (isDone()) return newSecret;
  return await madeAhead(nextUse(installation, wanted));
}

/** Makes a value before the lock is taken if that takes long. Under the lock another use may turn out to be wanted. */
export async function madeAhead(use: Use): Promise<MakeValue> {
  if (!isRsa(use.alg)) return newSecret;
  // An attempt that fails has used it up.
  const values = [await newSecret(use)];
  return (now) => (isSameUse(now, use) ? values.pop() : undefined) ?? newSecret(now);
}

function isSameUse(one: Use, other: Use): boolean {
  return (["alg", "keyForm", "bytes", "encoding"] as const).every((name) =>
    one[name] === other[name]
  );
}

/** Most characters of a new value. */
export function longestValue({ alg, bytes, encoding }: Omit<Use, "keyForm">): number {
  if (!isHmac(alg)) return longestPairText(alg, bytes);
  return encoding === "hex" ? 2 * bytes : 4 * Math.ceil(bytes / 3);
}

// A value that is no key for the algorithm so far: secrets and key pairs alternate.
function usualFor(imported: Secret | undefined, before: Algorithm): Algorithm {
  if (imported === undefined || isKeyFor(before, imported)) return before;
  return imported.pair === undefined ? "HS512" : usualAlgorithm(imported.pair);
}

function isKeyFor(alg: Algorithm, { pair }: Secret): boolean {
  return isHmac(alg) ? pair === undefined : pair?.suits(alg) === true;
}

function mustSuit(alg: Algorithm, imported: Secret | undefined): void {
  if (imported === undefined || isKeyFor(alg, imported)) return;
  const { pair } = imported;
  const what = pair === undefined ? "an HMAC secret" : `a key for ${usualAlgorithm(pair)}`;
  throw usageError(
    `Cannot use the value for ${alg}: it is ${what}`,
    "Give the algorithm of its tokens",
  );
}

function hmacUse(
  alg: HmacAlgorithm,
  before: Installation | undefined,
  wanted: NewSecret,
  isMade: boolean,
): Use {
  if (wanted.bits !== undefined) {
    throw notFor(
      alg,
      "--bits",
      "Add --alg RS256 for an RSA key of that size, or give --bytes instead",
    );
  }
  const current = before?.versions.current();
  const shape = current === undefined || !isHmac(current.alg) ? STANDARD_SHAPE : current;
  const form = before?.keyForm === "pkcs8" ? undefined : before?.keyForm;
  const { bytes = shape.bytes, encoding = shape.encoding } = wanted;
  const keyForm = wanted.keyForm ?? form ?? "text";
  if (!isMade) return { alg, keyForm, bytes, encoding };
  const least = HASH_BYTES[alg];
  if (bytes < least) {
    throw usageError(
      `Cannot make a secret of ${bytes} bytes for ${alg}: ` +
        `it needs at least ${least} (RFC 7518 §3.2)`,
      `Give --bytes ${least} or more, or another --alg`,
    );
  }
  return { alg, keyForm: suited(keyForm, encoding), bytes, encoding };
}

// Bytes as the key: which encoding they are written in decides how they are read.
function suited(keyForm: KeyForm, encoding: Shape["encoding"]): KeyForm {
  if (keyForm === "text") return keyForm;
  return encoding === "hex" ? "hex" : "raw";
}

function pairUse(
  alg: PairAlgorithm,
  before: Installation | undefined,
  wanted: NewSecret,
  importedBits: number | undefined,
): Use {
  if (wanted.keyForm !== undefined) throw notFor(alg, "--key-form");
  if (wanted.bytes !== undefined || wanted.encoding !== undefined) {
    throw notFor(alg, "--bytes and --as", isRsa(alg) ? "Give --bits instead" : "Leave them out");
  }
  const { encoding } = STANDARD_SHAPE;
  if (!isRsa(alg)) {
    if (wanted.bits !== undefined) throw notFor(alg, "--bits", ONE_SIZE);
    return { alg, keyForm: "pkcs8", bytes: STANDARD_SHAPE.bytes, encoding };
  }
  const current = before?.versions.current();
  const asBefore = current !== undefined && isRsa(current.alg) ? current.bytes * 8 : undefined;
  const bits = wanted.bits ?? importedBits ?? asBefore ?? LEAST_RSA_BITS;
  return { alg, keyForm: "pkcs8", bytes: Math.ceil(bits / 8), encoding };
}

const ONE_SIZE = "Leave it out: such keys have one size; RSA keys (--alg RS256) have several";

function notFor(alg: Algorithm, flags: string, hint = "Leave it out") {
  const kind = isHmac(alg) ? "an HMAC secret" : isRsa(alg) ? "an RSA key pair" : "a key pair";
  return usageError(`Cannot use ${flags} with ${alg}, which has ${kind}`, hint);
}

/**
 * Signs a token with a new value and verifies it, before the value is used.
 *
 * @throws {RekeyError} `failed` when the token does not verify.
 */
export async function probe(
  secret: Secret,
  { alg, key_form }: Pick<Version, "alg" | "key_form">,
): Promise<void> {
  // By another library than the one that signs.
  const { jwtVerify } = await import("jose");
  const use = { alg, key_form };
  const key = verifyingKey(secret, use);
  try {
    const token = signCompact(secret, use, {}, { sub: "probe" });
    await jwtVerify(token, key, { algorithms: [alg], subject: "probe" });
  } catch (cause) {
    throw unusable("a token signed with it does not verify", cause);
  } finally {
    if (key instanceof Uint8Array) key.fill(0);
  }
}

/** The error for a new value that cannot be used. */
export function unusable(why: string, cause?: unknown): RekeyError {
  return new RekeyError("failed", `Cannot use the new JWT secret: ${why}`, {
    hint: "The old secret is still current; run `rekey status` and try again",
    cause,
  });
}
