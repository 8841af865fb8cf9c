import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createPrivateKey, createPublicKey } from "node:crypto";
import { type Algorithm, PAIR_ALGORITHMS, type PairAlgorithm } from "../../src/core/algorithms.ts";
import { isRekeyError } from "../../src/core/errors.ts";
import { Secret } from "../../src/core/secret.ts";
import type { DeliveredKey, DeliveredKeys, Role } from "../../src/deliver/key_set.ts";
import { type Content, FORMATS, render } from "../../src/deliver/render.ts";
import { ALL_OF_A_KEY, checkTemplate } from "../../src/deliver/templates.ts";
import { somePair } from "../support/store/some_pair.ts";

function key(secret: Secret, alg: Algorithm, tokenKid = secret.kid): DeliveredKey {
  const keyForm = secret.pair === undefined ? "text" : "pkcs8";
  return { kid: secret.kid, tokenKid, alg, keyForm, secret, expiresAt: null };
}

const pairOf = (alg: PairAlgorithm) => key(somePair(alg), alg);

const hmac = key(Secret.generate(), "HS512");

async function text(
  content: Content,
  set: DeliveredKeys,
  role: Role = "verifier",
  parameters: Record<string, string> = {},
): Promise<string> {
  return new TextDecoder().decode(await render(content, set, { role, parameters }));
}

/** All ways to write a key of a pair, for a role. */
async function everyFile(set: DeliveredKeys, role: Role): Promise<string[]> {
  const encodings = {
    text: ["pem", "jwk"],
    env: ["pem", "jwk"],
    json: [""],
    jwks: [""],
    pem: [""],
  };
  const files = FORMATS.flatMap((format) =>
    encodings[format].map((encoding) => text({ format }, set, role, { encoding }))
  );
  const template = "{{current.pem}} {{current.jwk_json}} {{#verifying}}{{pem}}{{/verifying}}";
  return await Promise.all([...files, text({ template }, set, role)]);
}

function spellingsOf({ secret }: DeliveredKey): string[] {
  const { d } = secret.pair!.privateKey.export({ format: "jwk" });
  const pem = secret.pair!.privateKey.export({ type: "pkcs8", format: "pem" }) as string;
  const bytes = Buffer.from(d!, "base64url");
  return [
    d!,
    bytes.toString("base64"),
    bytes.toString("hex"),
    pem.split("\n")[2]!,
    pem.split("\n")[1]!,
  ];
}

for (const alg of PAIR_ALGORITHMS) {
  Deno.test(`a verifier gets no part of the private key for ${alg}, a signer all of it`, async () => {
    const current = pairOf(alg);
    const set = { current, previous: [] };
    for (const file of await everyFile(set, "verifier")) {
      const found = spellingsOf(current).filter((one) => file.includes(one));
      assert.deepEqual(found, []);
      assert.ok(!file.includes('"d"') && !file.includes("PRIVATE"));
    }
    for (const file of await everyFile(set, "signer")) {
      assert.ok(spellingsOf(current).some((one) => file.replaceAll("\\n", "\n").includes(one)));
    }
  });
}

Deno.test("PEM and JWK are the same key, of both roles", async () => {
  for (const alg of ["ES384", "Ed25519", "RS256"] as const) {
    const current = pairOf(alg);
    const set = { current, previous: [] };
    const { publicJwk, thumbprint } = current.secret.pair!;
    const spki = await text({ format: "pem" }, set);
    assert.deepEqual({ ...createPublicKey(spki).export({ format: "jwk" }) }, publicJwk);
    const pkcs8 = await text({ format: "text" }, set, "signer", { encoding: "pem" });
    const own = createPrivateKey(pkcs8).export({ format: "jwk" });
    assert.deepEqual({ ...own }, { ...current.secret.pair!.privateKey.export({ format: "jwk" }) });
    const [jwk] = JSON.parse(await text({ format: "jwks" }, set)).keys;
    assert.deepEqual(jwk, { ...publicJwk, kid: thumbprint, alg, use: "sig" });
    const [signing] = JSON.parse(await text({ format: "jwks" }, set, "signer")).keys;
    assert.deepEqual(signing, { ...jwk, ...own });
  }
});

Deno.test("a kid that shells and dotenv read differently is in no variable, and the error names it", async () => {
  const current = key(somePair("ES256"), "ES256", "key 1 $(id)");
  const refused = text({ format: "env" }, { current, previous: [] }, "verifier", {
    encoding: "pem",
  });
  await assert.rejects(
    refused,
    (error) => isRekeyError(error, "failed") && /as variables: the kid/.test(error.message),
  );
});

Deno.test("the kid is that of the tokens; one with a meaning in templates is in no template", async () => {
  const { secret } = pairOf("ES256");
  const set = (kid: string) => ({ current: key(secret, "ES256", kid), previous: [] });
  assert.equal(JSON.parse(await text({ format: "jwks" }, set('a"b'))).keys[0].kid, 'a"b');
  assert.equal(await text({ template: "{{current.kid}}" }, set("login-2024/1")), "login-2024/1");
  await refused(text({ template: "{{current.kid}}" }, set('a"b')));
  await refused(text({ format: "env" }, set('a"b'), "verifier", { encoding: "pem" }));
});

Deno.test("a set of both kinds: each key as it is, and templates can tell them apart", async () => {
  const pair = pairOf("ES256");
  const set = { current: pair, previous: [hmac] };
  const { keys } = JSON.parse(await text({ format: "jwks" }, set));
  assert.deepEqual(keys.map(({ kty }: { kty: string }) => kty), ["EC", "oct"]);
  const template = "{{#verifying}}{{#hmac}}b64 {{base64}}{{/hmac}}{{#pair}}{{jwk.crv}}{{/pair}}," +
    "{{/verifying}}";
  await checkTemplate(template, []);
  assert.equal(await text({ template }, set), `P-256,b64 ${btoa(hmac.secret.reveal())},`);
});

Deno.test("what a kind of key lacks is refused, and never left out", async () => {
  const pair = { current: pairOf("RS256"), previous: [] };
  const secret = { current: hmac, previous: [] };
  const lacking = { pair: ["text", "base64", "base64url", "hex", "jwk.k", "jwk.x", "jwk.crv"] };
  for (const name of lacking.pair) {
    for (const template of [`{{current.${name}}}`, `{{#verifying}}{{${name}}}{{/verifying}}`]) {
      await checkTemplate(template, []);
      await refused(text({ template }, pair));
    }
  }
  for (const name of ["pem", "jwk.x", "jwk.n"]) {
    await refused(text({ template: `{{#verifying}}{{${name}}}{{/verifying}}` }, secret));
  }
  for (const encoding of ["text", "base64", "base64url", "hex", "bytes"]) {
    await refused(text({ format: "text" }, pair, "verifier", { encoding }));
    if (encoding !== "bytes") {
      await refused(text({ format: "env" }, pair, "verifier", { encoding }));
    }
  }
  await refused(text({ format: "pem" }, secret));
  assert.ok(lacking.pair.concat("pem").every((name) => ALL_OF_A_KEY.includes(name)));
});

async function refused(work: Promise<unknown>): Promise<void> {
  await assert.rejects(work, (error) => isRekeyError(error, "failed", "usage"));
}
