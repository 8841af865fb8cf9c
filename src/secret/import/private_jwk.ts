import { PAIR_ALGORITHMS, type PairAlgorithm } from "../../core/algorithms.ts";
import { decodeBase64url } from "../../core/encoding.ts";
import { numberOf } from "./der.ts";
import { unreadable } from "./imported.ts";
import { damaged, type EcCurve, type KeyNumbers } from "./key_numbers.ts";
import { moreThanTwoPrimes, otherKey } from "./key_der.ts";

/** A JWK (RFC 7517 §4) of which nothing is checked yet. */
export type GivenJwk = Readonly<Record<string, unknown>>;

/** Whether a value is a JWK (RFC 7517 §4). */
export function isJwk(value: unknown): value is GivenJwk {
  return typeof (value as GivenJwk | null | undefined)?.kty === "string";
}

/** Whether a JWK is the public half of a key pair alone. */
export function isPublicJwk(jwk: GivenJwk): boolean {
  return ["EC", "RSA", "OKP", "AKP"].includes(jwk.kty as string) && !isPrivateJwk(jwk);
}

/** Whether a JWK has the private half of a key pair (RFC 7518 §6.2.2, §6.3.2, RFC 8037 §2). */
export function isPrivateJwk({ kty, d }: GivenJwk): boolean {
  return kty !== "oct" && d !== undefined;
}

/**
 * The numbers of a private JWK.
 *
 * @throws {RekeyError} `usage` when one is missing or no base64url, or it is for something else than tokens.
 */
export function numbersOfJwk(jwk: GivenJwk): KeyNumbers {
  const { kty, crv } = jwk;
  if (kty === "RSA") return rsaNumbers(jwk);
  if (kty === "EC" && ["P-256", "P-384", "P-521"].includes(crv as string)) {
    const [d, x, y] = [number(jwk, "d"), maybe(jwk, "x"), maybe(jwk, "y")];
    return { kty, crv: crv as EcCurve, d, x, y };
  }
  if (kty === "OKP" && crv === "Ed25519") {
    return { kty, d: bytes(jwk, "d"), x: jwk.x === undefined ? undefined : bytes(jwk, "x") };
  }
  throw otherKey(/^[\w-]{1,20}$/.test(String(crv)) && kty !== "AKP" ? String(crv) : undefined);
}

function rsaNumbers(jwk: GivenJwk): KeyNumbers {
  if (jwk.oth !== undefined) throw moreThanTwoPrimes();
  const [n, e, d] = ["n", "e", "d"].map((name) => number(jwk, name)) as [bigint, bigint, bigint];
  const [p, q, dp, dq, qi] = ["p", "q", "dp", "dq", "qi"].map((name) => maybe(jwk, name));
  return { kty: "RSA", n, e, d, p, q, dp, dq, qi };
}

function maybe(jwk: GivenJwk, name: string): bigint | undefined {
  return jwk[name] === undefined ? undefined : number(jwk, name);
}

function number(jwk: GivenJwk, name: string): bigint {
  return numberOf(bytes(jwk, name));
}

function bytes(jwk: GivenJwk, name: string): Uint8Array {
  const value = jwk[name];
  const found = typeof value === "string" && value !== "" ? decodeBase64url(value) : undefined;
  if (found === undefined) throw damaged(`its member ${name} is missing, or no base64url`);
  return found;
}

/** Whether a JWK is for signatures (RFC 7517 §4.2, §4.3). A symmetric one that verifies can sign too. */
export function isForSigning({ kty, use, key_ops: operations }: GivenJwk): boolean {
  const needed = kty === "oct" ? ["sign", "verify"] : ["sign"];
  return (use === undefined || use === "sig") &&
    (!Array.isArray(operations) || needed.some((name) => operations.includes(name)));
}

/**
 * The algorithm that a JWK is for (RFC 7517 §4.4).
 *
 * @throws {RekeyError} `usage` for one that tokens here do not use.
 */
export function algorithmOfJwk({ alg }: GivenJwk): PairAlgorithm | undefined {
  if (alg === undefined) return undefined;
  const known = PAIR_ALGORITHMS.find((one) => one === alg);
  if (known !== undefined) return known;
  throw unreadable(
    "the JWK is for another algorithm",
    `Key pairs sign tokens with ${PAIR_ALGORITHMS.join(", ")}`,
  );
}
