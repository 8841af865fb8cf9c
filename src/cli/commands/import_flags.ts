import type { Algorithm } from "../../core/algorithms.ts";
import type { Encoding } from "../../secret/import/imported.ts";
import type { PolicyFlags } from "./policy.ts";

/** Flags of `rekey import`. Durations in seconds. */
export interface ImportFlags extends PolicyFlags {
  readonly fromEnv?: string;
  readonly file?: string;
  readonly name?: string;
  readonly encoding?: Encoding;
  readonly alg?: Algorithm;
  readonly kid?: string;
  readonly passphraseFile?: string;
  readonly checkToken?: string;
  readonly literal?: boolean;
  readonly allowWeak?: boolean;
  readonly thenRotate?: boolean;
  readonly thenAlg?: Algorithm;
  readonly grace: number;
  readonly reason?: string;
}
