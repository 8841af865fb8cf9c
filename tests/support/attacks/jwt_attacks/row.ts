import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import type { ErrorCode } from "../../../../src/core/errors.ts";

/** A token that an attacker might try, and how it must be refused. */
export interface Attack {
  readonly name: string;
  /** A verify code of design §7. `valid` marks what has to be accepted: a verifier that refuses all is no defence. */
  readonly code: Extract<ErrorCode, VerifyCode> | "valid";
  readonly token: string;
  /** What the asker insists on; `/auth` has no such means. */
  readonly policy: Policy;
}

type Policy = { readonly aud?: string; readonly iss?: string; readonly sub?: string };

type VerifyCode =
  | "malformed"
  | "too_large"
  | "alg_not_allowed"
  | "unknown_kid"
  | "retired_kid"
  | "bad_signature"
  | "expired"
  | "not_yet_valid"
  | "claim_mismatch";

/** The secret under attack, and the one before it. */
export interface Target {
  readonly value: string;
  readonly kid: string;
  readonly oldValue: string;
  readonly oldKid: string;
}

/** A header or a payload, not yet encoded. */
export type Part = string | Uint8Array;

/** Signs any two parts, with the target's secret unless told otherwise. */
export type Sign = (
  header: Part,
  payload: Part,
  key?: string | Uint8Array,
  hash?: string,
) => string;

/** An {@linkcode Attack}, for tables. */
export type Row = [name: string, code: Attack["code"], token: string, policy?: Policy];

export const b64 = (part: Part) => Buffer.from(part).toString("base64url");
/** Seconds since the epoch. */
export const now = Math.floor(Date.now() / 1000);
export const HEADER = '{"alg":"HS512"}';
export const claims = (more = "") => `{"sub":"alice","exp":${now + 3_600}${more}}`;

/** HMAC over any two parts, well-formed or not. */
export function signer(value: string): Sign {
  return (header, payload, key = value, hash = "sha512") => {
    const input = `${b64(header)}.${b64(payload)}`;
    return `${input}.${createHmac(hash, key).update(input).digest("base64url")}`;
  };
}
