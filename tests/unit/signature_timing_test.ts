import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { type KeyVersion, type VerificationKeys, verifyToken } from "../../src/jwt/verifier.ts";
import { tryThen } from "../../src/core/async.ts";
import { isRekeyError } from "../../src/core/errors.ts";
import { Secret } from "../../src/core/secret.ts";
import { STANDARD_POLICY } from "../../src/jwt/policy.ts";
import { claims, signer } from "../support/attacks/jwt_attacks/row.ts";
import { rankScore, SUSPICIOUS } from "../support/timing/rank_score.ts";

Deno.test("the rank score sees a small shift, also on a machine that is slower at times, and none where the times are equal", () => {
  const block = (shift: number, slower: number) =>
    Array.from({ length: 100 }, () => (Math.random() + Math.random() + shift) * slower);
  const slower = Array.from({ length: 200 }, () => 1 + Math.random());
  const series = (shift: number) => slower.map((factor) => block(shift, factor));
  assert.ok(rankScore(series(0), series(0.05)) > SUSPICIOUS);
  assert.ok(rankScore(series(0), series(0)) < SUSPICIOUS);
  assert.equal(rankScore([[1, 2, 2, 3]], [[3, 2, 1, 2]]), 0);
});

const USE = { alg: "HS512", key_form: "text", origin: "generated", token_kid: null } as const;

/** Keys without a database, which would take most of the time. */
function keysOf(secret: Secret): VerificationKeys {
  const version: KeyVersion = { version: 1, kid: secret.kid, state: "current", ...USE };
  const keySet = {
    policy: STANDARD_POLICY,
    versions: [version],
    now: Date.now,
    isRevoked: () => false,
  };
  return {
    look: () => Promise.resolve(keySet),
    keptValue: () => secret,
    valueOf: () => Promise.resolve({ secret }),
    versionByKid: () => Promise.resolve(version),
  };
}

const WRONG = ["first", "last", "all"] as const;

/** Three tokens that differ in nothing but their signatures: wrong in its first byte, its last, all; and the right one. */
function nearMisses(secret: Secret) {
  const header = `{"alg":"HS512","kid":"${secret.kid}"}`;
  const token = signer(secret.reveal())(header, claims(`,"jti":"${crypto.randomUUID()}"`));
  const dot = token.lastIndexOf(".");
  const signature = Buffer.from(token.slice(dot + 1), "base64url");
  const change = 1 + Math.floor(Math.random() * 255);
  const made = inAnyOrder(WRONG).map((wrong) => {
    const bytes = Buffer.from(signature);
    for (let at = 0; at < bytes.length; at++) {
      const isWrong = wrong === "all" || at === (wrong === "first" ? 0 : bytes.length - 1);
      bytes[at]! ^= isWrong ? change : 0;
    }
    // One string in one piece, however it was made.
    const whole = `${token.slice(0, dot)}.${bytes.toString("base64url")}`;
    return [wrong, Buffer.from(whole).toString("latin1")];
  });
  return { right: signature.toString("hex"), ...Object.fromEntries(made) } as NearMisses;
}

type NearMisses = Record<"right" | typeof WRONG[number], string>;

// Where a token lies in memory shows in its time too, and depends on when it was made.
function inAnyOrder<T>(items: readonly T[]): T[] {
  return items.map((item) => ({ item, at: Math.random() })).sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

/** What must not be: two digests in hexadecimal, compared until a digit differs. */
function startsDifferently(token: string, right: string): boolean {
  const given = Buffer.from(token.slice(token.lastIndexOf(".") + 1), "base64url").toString("hex");
  for (let at = 0; at < right.length; at++) if (given[at] !== right[at]) return true;
  return false;
}

/** Times of refusals by where the signature was wrong, in blocks. */
type Times = [first: number[][], last: number[][], all: number[][]];

const BLOCK_MS = 50;
const TOKENS_A_BLOCK = 200;
const BLOCKS_A_ROUND = 30;
const MOST_ROUNDS = 6;

/** Times refusals of near misses that chance chooses, half of them with a comparison beside it that ends early. */
async function measure(keys: VerificationKeys, secret: Secret, sound: Times, leaking: Times) {
  for (let block = 0; block < BLOCKS_A_ROUND; block++) {
    const tokens = Array.from({ length: TOKENS_A_BLOCK }, () => nearMisses(secret));
    [...sound, ...leaking].forEach((blocks) => blocks.push([]));
    for (const end = performance.now() + BLOCK_MS; performance.now() < end;) {
      const which = Math.floor(Math.random() * WRONG.length);
      const { right, ...misses } = tokens[Math.floor(Math.random() * TOKENS_A_BLOCK)]!;
      const token = misses[WRONG[which]!];
      const leaks = Math.random() < 0.5;
      const start = performance.now();
      if (leaks) startsDifferently(token, right);
      const refusal = await tryThen(
        () => verifyToken(keys, token),
        () => undefined,
        (error) => error,
      );
      (leaks ? leaking : sound)[which]!.at(-1)!.push(performance.now() - start);
      assert.ok(isRekeyError(refusal, "bad_signature"));
    }
  }
}

function score([first, last, all]: Times): number {
  return Math.max(rankScore(first, last), rankScore(last, all), rankScore(first, all));
}

Deno.test("the time of a refusal does not tell where a signature is wrong", async (t) => {
  const secret = Secret.generate();
  const keys = keysOf(secret);
  await measure(keys, secret, [[], [], []], [[], [], []]);
  const [sound, leaking]: [Times, Times] = [[[], [], []], [[], [], []]];
  // Until enough is known to see the one that must not be. Only that one decides when it is enough.
  let control = 0;
  for (let round = 0; round < MOST_ROUNDS && control < 2 * SUSPICIOUS; round++) {
    await measure(keys, secret, sound, leaking);
    control = score(leaking);
  }
  const found = score(sound);
  const figures = `${sound[0].flat().length} times each: ${found.toFixed(1)}, ${
    control.toFixed(1)
  }`;
  assert.ok(found < SUSPICIOUS, figures);
  // A machine that is busy with something else may hide what this test looks for: then it says nothing.
  const ignore = control < SUSPICIOUS;
  await t.step({ name: `one that tells is seen (${figures})`, ignore, fn: () => {} });
});
