import { isHmac } from "../../core/algorithms.ts";
import { RekeyError } from "../../core/errors.ts";
import { readPublicSet } from "../../secret/public_set.ts";
import { kidInTokens } from "../../secret/token_kid.ts";
import type { Context } from "../context.ts";

/** Flags of `rekey jwks`. */
export interface JwksFlags {
  readonly pem?: boolean;
}

/** Prints the public keys; never a private one, nor an HMAC secret. */
export async function jwks({ pem }: JwksFlags, context: Context): Promise<void> {
  if (pem) return await currentAsPem(context);
  const { secrets, output } = context;
  const { keys } = await readPublicSet(secrets);
  output.text({ keys }, [JSON.stringify({ keys }, null, 2)]);
  if (keys.length === 0) output.remark(`no key is public: ${NOTHING_PUBLIC}`);
}

const NOTHING_PUBLIC = "tokens are signed with an HMAC secret, which verifies and signs alike";

async function currentAsPem({ secrets, output }: Context): Promise<void> {
  const { version, secret } = await secrets.get("jwks");
  if (isHmac(version.alg) || secret.pair === undefined) {
    throw new RekeyError("failed", `Cannot print a public key: ${NOTHING_PUBLIC}`, {
      hint: "Rotate to a key pair: `rekey rotate --alg ES256 --grace 24h`",
    });
  }
  const pem = secret.pair.publicPem;
  output.text({ kid: kidInTokens(version), alg: version.alg, pem }, [pem.trimEnd()]);
}
