import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { Algorithm } from "../../../src/core/algorithms.ts";
import type { Box } from "../process/box.ts";
import { openSealed } from "../store/sealed.ts";
import { KnownKey } from "./by_hand.ts";
import { accepts, type Consumer } from "./consumer.ts";
import { tokenFor } from "./delivering.ts";

/**
 * A consumer refuses tokens that are forged or over. Each has the claims that it wants, so that nothing else is wrong
 * with it: a token that is put together in the same way, with the right key and in time, is accepted.
 *
 * @param except what it accepts all the same, as its page says.
 */
export async function refusesForgeries(
  box: Box,
  consumer: Consumer,
  except: string[] = [],
): Promise<void> {
  const [header, claims] = partsOf(await tokenFor(box, consumer));
  const { alg, kid } = header as { alg: Algorithm; kid: string };
  const { value } = await openSealed(box);
  const right = new KnownKey({ alg, text: value });
  const [other, empty] = [new KnownKey({ alg }), new KnownKey({ alg, text: "\0".repeat(64) })];
  assert.equal(right.kid, kid);
  assert.ok(await accepts(consumer, right.token(claims)), "a token that is put together here");
  const now = Math.floor(Date.now() / 1_000);
  const signed = right.token(claims);
  const unsigned = (token: string) => token.slice(0, token.lastIndexOf(".") + 1);
  const forgeries = {
    "another key": other.token(claims),
    "another key under the right kid": other.token(claims, { kid }),
    "a key of zeros": empty.token(claims, { kid }),
    "alg none": unsigned(right.token(claims, { alg: "none" })),
    "alg none, with a signature": right.token(claims, { alg: "none" }),
    "no signature": unsigned(signed),
    "half a signature": signed.slice(0, -20),
    "the signature of other claims": unsigned(right.token({ ...claims, admin: true })) +
      signed.slice(signed.lastIndexOf(".") + 1),
    "a second ago": right.token({ ...claims, exp: now - 1 }),
    "no exp": right.token({ ...claims, exp: undefined }),
    "an hour ago": right.token({ ...claims, exp: now - 3_600 }),
  };
  const accepted = [];
  for (const [name, token] of Object.entries(forgeries)) {
    if (await consumer.answer(token) === "accepted") accepted.push(name);
  }
  assert.deepEqual(accepted, except);
}

function partsOf(token: string): [object, object] {
  const [header, claims] = token.split(".", 2)
    .map((part) => JSON.parse(Buffer.from(part, "base64url").toString()));
  return [header, claims];
}
