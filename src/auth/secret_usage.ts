import type { Algorithm } from "../core/algorithms.ts";
import { RekeyError } from "../core/errors.ts";
import type { KeyForm, Secret } from "../core/secret.ts";
import type { Encoding } from "../secret/import/imported.ts";
import type { KeyFormat } from "../secret/import/private_key.ts";

/** An imported secret, and how the application uses it. */
export interface SecretUsage {
  readonly secret: Secret;
  readonly keyForm: KeyForm;
  /** How an HMAC secret is decoded, or the form in which a private key was given. */
  readonly encoding: Encoding | KeyFormat;
  readonly alg: Algorithm | undefined;
  /** The key id that its JWK gave it; of a key pair also the operator or a token. */
  readonly kid?: string | undefined;
  /** Whether the application's tokens have a kid that new ones cannot have. */
  readonly losesKid?: boolean;
}

/** What the operator states about an imported secret. */
export interface StatedUsage {
  readonly encoding?: Encoding | undefined;
  readonly alg?: Algorithm | undefined;
  /** kid that the tokens of a key pair have. */
  readonly kid?: string | undefined;
}

/** The error for a token of another key. */
export function notSigned(): RekeyError {
  return new RekeyError(
    "bad_signature",
    "Cannot import: the token was not signed with this value",
    {
      hint: "The application signs with another key, or derives its key in its own way",
    },
  );
}
