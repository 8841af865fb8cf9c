import assert from "node:assert/strict";
import { CachedVerifier } from "../../src/jwt/cached_verifier.ts";
import { asRefusal } from "../../src/core/errors.ts";
import { LiveSecrets } from "../../src/secret/live_secrets.ts";
import { SecretManager } from "../../src/secret/manager.ts";
import { testEnvironment } from "../support/store/environment.ts";
import { type Attack, attacksOn } from "../support/attacks/jwt_attacks.ts";

/** What `verify` says of a token. */
async function codeOf(verify: () => Promise<unknown>): Promise<string> {
  try {
    await verify();
    return "valid";
  } catch (error) {
    return asRefusal(error).code;
  }
}

/** A secret that has been rotated once, and what it is. */
async function rotated(secrets: SecretManager) {
  await secrets.getOrCreate();
  const old = await secrets.get();
  await secrets.rotate();
  const { secret } = await secrets.get();
  const attacks = attacksOn({
    value: secret.reveal(),
    kid: secret.kid,
    oldValue: old.secret.reveal(),
    oldKid: old.secret.kid,
  });
  return { attacks, old };
}

const policyOf = ({ policy }: Attack) => ({
  leeway: 0,
  allowNoExpiry: false,
  audience: policy.aud,
  issuer: policy.iss,
  subject: policy.sub,
});

Deno.test("every attack in the table comes to the code that it should, twice the same", async () => {
  using environment = testEnvironment();
  const secrets = new SecretManager(environment);
  const { attacks } = await rotated(secrets);
  const live = new LiveSecrets(environment, async (row) => (await secrets.valueOf(row)).secret);
  const cached = new CachedVerifier(live);
  const wrong: string[] = [];
  for (const attack of attacks) {
    const { name, code, token } = attack;
    const ways = [
      async () => await secrets.verify(token, policyOf(attack)),
      async () => await cached.verify(token, policyOf(attack)),
      // Now from the cache, if it was accepted.
      async () => await cached.verify(token, policyOf(attack)),
    ];
    for (const way of ways) {
      const got = await codeOf(way);
      if (got !== code) wrong.push(`${name}: ${got} instead of ${code}`);
    }
  }
  assert.deepEqual(wrong, []);
  const count = (code: string) => attacks.filter((attack) => attack.code === code).length;
  assert.ok(attacks.length > 300 && count("valid") > 20, String(attacks.length));
  live.close();
  secrets.close();
});
