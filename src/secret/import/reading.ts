import type { Algorithm } from "../../core/algorithms.ts";
import type { Encoding } from "./imported.ts";
import type { PrivateKey } from "./private_key.ts";

/** One way to read a secret from the input. */
export interface Reading {
  readonly text: string;
  /** Set when the format determines it: a JWK's key is base64url. */
  readonly encoding?: Encoding | undefined;
  readonly alg?: Algorithm | undefined;
  /** Set when the format names the key. */
  readonly kid?: string | undefined;
  /** Set when it is a private key; then nothing else is. */
  readonly key?: PrivateKey | undefined;
}
