import { algorithms, headers, keysInTokens, kids } from "./jwt_attacks/header.ts";
import { claimRows, json, numbers } from "./jwt_attacks/payload.ts";
import { type Attack, signer, type Target } from "./jwt_attacks/row.ts";
import { signatures, spellings } from "./jwt_attacks/spelling.ts";

export type { Attack, Target };

const GROUPS = [
  ...[algorithms, keysInTokens, kids, headers],
  ...[json, numbers, claimRows],
  ...[spellings, signatures],
];

/**
 * Every attack on `target`, whose algorithm is HS512. Nearly all are signed with its own secret: only what they are
 * after is wrong with them.
 */
export function attacksOn(target: Target): Attack[] {
  const sign = signer(target.value);
  const rows = GROUPS.flatMap((group) => group(sign, target));
  return rows.map(([name, code, token, policy = {}]) => ({ name, code, token, policy }));
}
