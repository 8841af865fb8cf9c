import type { Algorithm } from "../core/algorithms.ts";
import type { KeyForm, ShapeEncoding } from "../core/secret.ts";
import type { NewSecret } from "../secret/backend.ts";

/** Flags about a new key, of `init` and `rotate`: `--bytes` of a secret, `--bits` of an RSA key. */
export interface KeyFlags {
  readonly alg?: Algorithm;
  readonly keyForm?: KeyForm;
  readonly bytes?: number;
  readonly as?: ShapeEncoding;
  readonly bits?: number;
}

/** What the flags want of a new key. */
export function wantedKey({ alg, keyForm, bytes, as: encoding, bits }: KeyFlags): NewSecret {
  return { alg, keyForm, bytes, encoding, bits };
}

/** These flags as they are typed; empty if none is given. */
export function keyFlagsText({ alg, keyForm, bytes, as, bits }: KeyFlags): string {
  const given = {
    "--alg": alg,
    "--key-form": keyForm,
    "--bytes": bytes,
    "--as": as,
    "--bits": bits,
  };
  return Object.entries(given).flatMap(([flag, value]) => value === undefined ? [] : [flag, value])
    .join(" ");
}
