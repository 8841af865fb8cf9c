import assert from "node:assert/strict";
import { Accounts } from "../../src/users/accounts.ts";
import { CachedVerifier } from "../../src/jwt/cached_verifier.ts";
import { AuthManager } from "../../src/auth/manager.ts";
import type { VerifyPolicy } from "../../src/jwt/policy.ts";
import { type ErrorCode, isRekeyError } from "../../src/core/errors.ts";
import { LiveSecrets } from "../../src/secret/live_secrets.ts";
import { SecretManager } from "../../src/secret/manager.ts";
import { claims, signer } from "../support/attacks/jwt_attacks/row.ts";
import { encodeText } from "../../src/core/encoding.ts";
import { testEnvironment } from "../support/store/environment.ts";

async function makeAll(most?: { entries: number; characters: number }) {
  const environment = testEnvironment();
  const secrets = new SecretManager(environment);
  await secrets.getOrCreate();
  let fetched = 0;
  const live = new LiveSecrets(environment, async (version) => {
    fetched++;
    return (await secrets.valueOf(version)).secret;
  });
  const auth = new AuthManager(secrets);
  const verifier = new CachedVerifier(live, most);
  return {
    environment,
    secrets,
    auth,
    accounts: new Accounts(secrets),
    live,
    verifier,
    /** As a promise, also of what is refused at once. */
    verify: async (token: string, policy?: VerifyPolicy) => await verifier.verify(token, policy),
    /** The same for a token that is remembered from then on: it was accepted before. */
    async remembered(token: string, policy?: VerifyPolicy) {
      await verifier.verify(token, policy);
      return await verifier.verify(token, policy);
    },
    fetched: () => fetched,
    token: async (subject = "alice") => (await auth.issue({ subject, lifetime: 60 })).token,
    [Symbol.dispose]() {
      live.close();
      secrets.close();
      environment[Symbol.dispose]();
    },
  };
}

const refusedWith = (code: ErrorCode) => (error: unknown) => isRekeyError(error, code);
const policy = { leeway: 0, allowNoExpiry: false };

Deno.test("a remembered token is refused after a rotation", async () => {
  using all = await makeAll();
  const token = await all.token();
  for (let i = 0; i < 3; i++) assert.equal((await all.verify(token)).version, 1);
  assert.equal(all.verifier.size, 1);
  await all.auth.rotate();
  await assert.rejects(all.verify(token), refusedWith("retired_kid"));
  assert.equal(all.verifier.size, 0);
});

Deno.test("a remembered token is refused after its session was ended", async () => {
  using all = await makeAll();
  const [token, other] = [await all.token("alice"), await all.token("bob")];
  const verified = await all.remembered(token);
  await all.remembered(other);
  await all.accounts.logOut(verified);
  await assert.rejects(all.verify(token), refusedWith("revoked"));
  await assert.rejects(all.verify(token), refusedWith("revoked"), "not only once");
  assert.equal((await all.verify(other)).claims.sub, "bob");
});

Deno.test("a remembered token is refused once it has expired", async () => {
  using all = await makeAll();
  const token = await all.token();
  await all.remembered(token);
  all.environment.advance(61_000);
  await assert.rejects(all.verify(token), refusedWith("expired"));
});

Deno.test("a remembered token is refused at the end of its grace window", async () => {
  using all = await makeAll();
  const token = await all.token();
  await all.auth.rotate({ graceMs: 5_000 });
  assert.equal((await all.remembered(token)).version, 1);
  all.environment.advance(5_000);
  await assert.rejects(all.verify(token), refusedWith("retired_kid"));
});

Deno.test("what was accepted under one policy is not accepted under another", async () => {
  using all = await makeAll();
  const token = await all.token();
  await all.remembered(token);
  await assert.rejects(
    all.verify(token, { ...policy, audience: "other" }),
    refusedWith("claim_mismatch"),
  );
  await assert.rejects(
    all.verify(token, { ...policy, algorithm: "HS256" }),
    refusedWith("alg_not_allowed"),
  );
  await assert.rejects(
    all.verify(token, { ...policy, subject: "bob" }),
    refusedWith("claim_mismatch"),
  );
});

Deno.test("what is remembered of another algorithm is not accepted where that was not asked for", async () => {
  using all = await makeAll();
  const { secret } = await all.secrets.get();
  const token = signer(secret.reveal())('{"alg":"HS256"}', claims(), secret.reveal(), "sha256");
  const other = { ...policy, algorithm: "HS256" } as const;
  for (let i = 0; i < 2; i++) {
    assert.equal((await all.remembered(token, other)).version, 1);
    assert.equal(all.verifier.size, 1);
    await assert.rejects(all.verify(token), refusedWith("alg_not_allowed"));
  }
});

Deno.test("what is remembered of a header is not a token, nor the other way round", async () => {
  using all = await makeAll();
  const token = await all.token();
  const header = `Bearer ${token}`;
  const tokenOf = (text: string) => text.slice("Bearer ".length);
  const bearer = async (text: string) => await all.verifier.verify(text, undefined, tokenOf);
  await bearer(header);
  const first = await bearer(header);
  assert.equal(await bearer(header), first, "it is remembered");
  await assert.rejects(all.verify(header), refusedWith("malformed"));
  await all.remembered(token);
  await assert.rejects(bearer(token), refusedWith("malformed"));
});

Deno.test("a remembered token is refused before nbf, when the clock was put back", async () => {
  using all = await makeAll();
  const { secret } = await all.secrets.get();
  const now = Math.floor(all.environment.clock() / 1000);
  const said = JSON.stringify({ sub: "alice", nbf: now, exp: now + 60 });
  const token = signer(secret.reveal())('{"alg":"HS512"}', said, secret.reveal(), "sha512");
  for (let i = 0; i < 3; i++) await all.verify(token);
  all.environment.advance(-1_000);
  await assert.rejects(all.verify(token), refusedWith("not_yet_valid"));
  all.environment.advance(1_000);
  await all.verify(token);
});

Deno.test("what a caller's own policy accepts is not accepted by the app's", async () => {
  using all = await makeAll();
  const { secret } = await all.secrets.get();
  const said = JSON.stringify({ sub: "alice", exp: Math.floor(all.environment.clock() / 1000) });
  const token = signer(secret.reveal())('{"alg":"HS512"}', said, secret.reveal(), "sha512");
  for (let i = 0; i < 3; i++) {
    await all.verify(token, { leeway: 60 });
    await assert.rejects(all.verify(token), refusedWith("expired"));
  }
});

Deno.test("tokens that differ only in their last characters have claims of their own", async () => {
  using all = await makeAll();
  const token = await all.token();
  await all.remembered(token);
  // The whole token counts: a character more, a character less, another signature.
  for (const other of [`${token}A`, token.slice(0, -1), `${token.slice(0, -4)}AAAA`]) {
    await assert.rejects(all.verify(other), (error) => isRekeyError(error));
  }
  assert.equal(all.verifier.size, 1, "what was refused is not remembered");
});

Deno.test("a forged token does not get the claims of a remembered one with the same signature", async () => {
  using all = await makeAll();
  const token = await all.token("alice");
  await all.remembered(token);
  const [header, payload, signature] = token.split(".") as [string, string, string];
  const changed = atob(payload).replace('"alice"', '"clara"');
  const forged = [header, encodeText(changed), signature].join(".");
  assert.equal(forged.length, token.length);
  for (let i = 0; i < 3; i++) {
    await assert.rejects(all.verify(forged), refusedWith("bad_signature"));
  }
  assert.equal((await all.verify(token)).claims.sub, "alice");
});

Deno.test("a token that comes once is not remembered, and one that comes twice is", async () => {
  using all = await makeAll();
  const tokens = await Promise.all(Array.from({ length: 20 }, (_, n) => all.token(`user-${n}`)));
  for (const token of tokens) await all.verify(token);
  assert.equal(all.verifier.size, 0);
  const second = await all.verify(tokens[3]!);
  assert.equal(all.verifier.size, 1);
  assert.equal(await all.verify(tokens[3]!), second);
});

Deno.test("a token in two spellings takes the room of one", async () => {
  using all = await makeAll({ entries: 1e6, characters: 8_000 });
  const [other, token] = [await all.token("other"), await all.token("alice")];
  const verified = await all.remembered(other);
  const tokenOf = (text: string) => text.slice("Bearer ".length);
  for (let n = 0; n < 100; n++) {
    for (const scheme of ["Bearer", "bearer"]) {
      await all.verifier.verify(`${scheme} ${token}`, undefined, tokenOf);
    }
  }
  assert.equal(await all.verify(other), verified);
});

Deno.test("it remembers no more than it may, the newest and what is used again", async () => {
  const names = Array.from({ length: 30 }, (_, n) => `user-${n}`);
  for (const most of [{ entries: 6, characters: 1e6 }, { entries: 1e6, characters: 2_500 }]) {
    using all = await makeAll(most);
    const used = await all.token("used");
    const verified = await all.remembered(used);
    for (const name of names) {
      const token = await all.token(name);
      const first = await all.remembered(token);
      assert.equal(await all.verify(token), first, "the newest is remembered");
      assert.equal(await all.verify(used), verified, "what is used again is remembered");
      assert.ok(all.verifier.size >= 2 && all.verifier.size <= 8, String(all.verifier.size));
    }
  }
});
