import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createPrivateKey, createPublicKey } from "node:crypto";
import type { PairAlgorithm } from "../../src/core/algorithms.ts";
import { KeyPair, LEAST_RSA_BITS } from "../../src/core/key_pair.ts";
import type { Attack } from "../support/attacks/jwt_attacks/row.ts";
import {
  attacksOnPair,
  hmacToken,
  type PairTarget,
  publicForms,
} from "../support/attacks/pair_attacks.ts";
import { pairSigner } from "../support/attacks/pair_signatures.ts";
import { Serving } from "../support/http/serving.ts";
import { Box } from "../support/process/box.ts";
import { sample } from "../support/process/sample.ts";
import { openSealed } from "../support/store/sealed.ts";

// Attacks on a key pair meet the compiled binary, by each of its doors. RS384 and the like differ by a hash.

// By what they have in common: the algorithms of a line are asked every kind of attack among them.
const TESTED: readonly (readonly PairAlgorithm[])[] = [
  ["ES256", "ES384", "ES512"],
  ["Ed25519", "EdDSA"],
  ["RS256", "RS512"],
  ["PS256", "PS384"],
];

/**
 * The attacks that a server is asked. It verifies signatures by OpenSSL, and tests/unit/pair_properties_test.ts by the runtime:
 * so it is asked all that are wrong, and of the rest an algorithm's part.
 */
function askedOf(attacks: readonly Attack[], parts: number, part: number): Attack[] {
  const isSignature = ({ name }: Attack) => name.includes(": signature: ");
  const others = attacks.filter((attack) => !isSignature(attack));
  return [...attacks.filter(isSignature), ...sample(others, parts, part)];
}

/** The key pair that is current in a box. */
async function current(box: Box): Promise<PairTarget> {
  const { kid, alg } = await box.json("status");
  const { value } = await openSealed(box);
  const key = Buffer.from(value.replace(/^pkcs8:/, ""), "base64");
  return { kid, alg, privateKey: createPrivateKey({ key, format: "der", type: "pkcs8" }) };
}

/** The names of the attacks that do not come to their code at a server, and what they came to. */
async function wrongAt(serving: Serving, attacks: readonly Attack[]): Promise<string[]> {
  const wrong: string[] = [];
  for (const { name, token, code } of attacks) {
    const verified = await serving.post("/verify", { token });
    const said = await verified.json();
    const got = said.valid === true ? "valid" : said.code;
    if (got !== code) wrong.push(`/verify, ${name}: ${got}, not ${code}`);
    if (/[^\x21-\x7e]/.test(token)) continue;
    const asked = await serving.get("/auth", token);
    const answer = asked.status === 204 ? "valid" : JSON.parse(await asked.text()).code;
    const isToken = /^[\w.~+/-]*=*$/.test(token);
    const wanted = isToken ? code : "malformed";
    if (answer !== wanted) wrong.push(`/auth, ${name}: ${answer}, not ${wanted}`);
  }
  return wrong;
}

/** The same by `rekey verify`. */
async function wrongByCommand(box: Box, attacks: readonly Attack[]): Promise<string[]> {
  const wrong: string[] = [];
  for (const { name, token, code } of attacks) {
    const ended = await box.run(["verify", "-", "--json"], { stdin: token });
    const said = JSON.parse(ended.stdout);
    const got = said.valid === true ? "valid" : said.code;
    const status = code === "valid" ? 0 : 3;
    if (got !== code || ended.code !== status) wrong.push(`${name}: ${got} (${ended.code})`);
    assert.doesNotMatch(ended.stderr, /\bat .*:\d+:\d+/, name);
  }
  return wrong;
}

/** No answer of a server was a fault of its own. */
async function endsWell(serving: Serving): Promise<void> {
  assert.equal((await serving.stop()).code, 0);
  const lines = serving.stdout.trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(lines.filter(({ status, bug }) => status >= 500 || bug !== undefined), []);
}

for (const algorithms of TESTED) {
  Deno.test(`${algorithms.join(", ")}: every kind of attack is among those that are asked`, async () => {
    // An algorithm of the line is as good as another, and so is its attacker's key.
    const kinds = (attacks: Attack[]) =>
      attacks.map(({ name }) =>
        name.replace(/^\w+: /, "").replace(/"crv"[^}]*/, "").replace(
          /\b([erp]s)\d{3}\b|\b(ed)(25519|dsa)\b/gi,
          "$1$2",
        )
      );
    const all = await Promise.all(algorithms.map(async (alg) => {
      const { privateKey } = await KeyPair.generate(alg, LEAST_RSA_BITS);
      return attacksOnPair({ alg, kid: "kid", privateKey });
    }));
    const asked = all.map((attacks, part) => askedOf(attacks, all.length, part));
    const known = new Set(asked.flatMap(kinds));
    assert.deepEqual(all.flatMap(kinds).filter((kind) => !known.has(kind)), []);
  });
}

const PARTS = TESTED.flatMap((algorithms) =>
  algorithms.map((alg, part) => ({ alg, parts: algorithms.length, part }))
);

for (const [index, { alg, parts, part }] of PARTS.entries()) {
  Deno.test(`attacks on ${alg} come to their codes: POST /verify, GET /auth, rekey verify`, async () => {
    using box = new Box();
    await box.run(["init", "--store", "database", "--alg", alg]);
    const attacks = attacksOnPair(await current(box));
    assert.ok(attacks.length > 100, String(attacks.length));
    await using serving = await Serving.start(box);
    assert.deepEqual(await wrongAt(serving, askedOf(attacks, parts, part)), []);
    await endsWell(serving);
    assert.deepEqual(await wrongByCommand(box, sample(attacks, 80, index)), []);
  });
}

/** Tokens of two versions of different kinds, which verify at the same time, with kids and algorithms exchanged. */
function mixed(hmac: { kid: string; value: string }, pair: PairTarget): Attack[] {
  const sign = pairSigner(pair.alg, pair.privateKey);
  const publicKey = createPublicKey(pair.privateKey as never);
  const forged = [...publicForms(publicKey)].flatMap(([form, key]): Row[] => [
    [`${form} as the HMAC key`, "bad_signature", hmacToken("HS512", key)],
    [`${form}, the secret's kid`, "bad_signature", hmacToken("HS512", key, hmac.kid)],
    [`${form}, the pair's kid`, "alg_not_allowed", hmacToken("HS512", key, pair.kid)],
    [`${form}, HS256`, "alg_not_allowed", hmacToken("HS256", key)],
  ]);
  const rows: Row[] = [
    ["of the secret", "valid", hmacToken("HS512", hmac.value, hmac.kid)],
    ["of the secret, no kid", "valid", hmacToken("HS512", hmac.value)],
    ["of the pair", "valid", sign({ alg: pair.alg, kid: pair.kid })],
    ["of the pair, no kid", "valid", sign({ alg: pair.alg })],
    ["of the secret, the pair's kid", "alg_not_allowed", hmacToken("HS512", hmac.value, pair.kid)],
    ["of the pair, the secret's kid", "alg_not_allowed", sign({ alg: pair.alg, kid: hmac.kid })],
    ["of the pair, HS512 in the header", "bad_signature", sign({ alg: "HS512" })],
    ["of the pair, all of the secret's", "bad_signature", sign({ alg: "HS512", kid: hmac.kid })],
    ["of the pair, HS512 and its kid", "alg_not_allowed", sign({ alg: "HS512", kid: pair.kid })],
    ...forged,
  ];
  return rows.map(([name, code, token]) => ({ name, code, token, policy: {} }));
}

type Row = [name: string, code: Attack["code"], token: string];

for (const alg of ["ES256", "RS256", "Ed25519"] satisfies PairAlgorithm[]) {
  Deno.test(`a secret and a key pair of ${alg} verify side by side, and neither for the other`, async () => {
    using box = new Box();
    await box.run(["init", "--store", "database"]);
    const { kid } = await box.json("status");
    const { value } = await openSealed(box);
    await using serving = await Serving.start(box);
    await box.json("rotate", "--force", "--grace", "1h", "--alg", alg);
    const pair = await current(box);
    const attacks = mixed({ kid, value }, pair);
    assert.deepEqual(await wrongAt(serving, attacks), []);
    assert.deepEqual(await wrongByCommand(box, sample(attacks, 16)), []);
    // And back: the pair is the one in its grace period.
    const [grace] = (await box.json("status")).grace;
    assert.deepEqual([grace.kid, grace.alg], [kid, "HS512"]);
    await box.json("rotate", "--force", "--grace", "1h", "--alg", "HS512");
    const back = await box.json("status");
    assert.deepEqual([back.alg, back.key_form, back.bytes], ["HS512", "text", 64]);
    const hmac = { kid: back.kid, value: (await openSealed(box)).value };
    assert.deepEqual(await wrongAt(serving, mixed(hmac, pair)), []);
    await box.json("rotate", "--force");
    const token = pairSigner(alg, pair.privateKey)({ alg, kid: pair.kid });
    const ended: Attack[] = [
      { name: "ended", code: "retired_kid", token, policy: {} },
    ];
    assert.deepEqual(await wrongAt(serving, ended), []);
    await endsWell(serving);
  });
}
