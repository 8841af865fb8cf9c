import { Buffer } from "node:buffer";
import { constants, createHmac, randomBytes, sign } from "node:crypto";
import { Secret } from "../../../src/core/secret.ts";
import { somePair } from "../store/some_pair.ts";
import type { DeliveredKey, DeliveredKeys } from "../../../src/deliver/key_set.ts";
import { parsePreset } from "../../../src/deliver/preset.ts";
import { render } from "../../../src/deliver/render.ts";
import { type Algorithm, isHmac } from "../../../src/core/algorithms.ts";

/** What a test makes a key of. */
export interface KeyParts {
  readonly alg?: Algorithm;
  readonly text?: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt?: number;
}

/** A key of which the test knows the value, so that it can sign anything with it. */
export class KnownKey {
  readonly text: string;
  readonly delivered: DeliveredKey;

  constructor({ alg = "HS512", text, expiresAt }: KeyParts = {}) {
    const secret = isHmac(alg)
      ? Secret.imported(text ?? randomBytes(64).toString("base64"))
      : somePair(alg);
    this.text = secret.reveal();
    const keyForm = isHmac(alg) ? "text" : "pkcs8";
    const expires = expiresAt ?? null;
    const { kid } = secret;
    this.delivered = { kid, tokenKid: kid, alg, keyForm, secret, expiresAt: expires };
  }

  get kid(): string {
    return this.delivered.kid;
  }

  /** A token; one of a user that ends in an hour unless the claims say otherwise. */
  token(claims: object = {}, header: object = {}): string {
    const { kid, alg } = this.delivered;
    const exp = Math.floor(Date.now() / 1000) + 3_600;
    const parts = [{ alg, typ: "JWT", kid, ...header }, { sub: "alice", exp, ...claims }];
    const signed = parts.map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
      .join(".");
    return `${signed}.${this.#signature(signed)}`;
  }

  /** A token that anyone can make: the text of the public key signs it as an HMAC secret. */
  confused(): string {
    const pem = this.delivered.secret.pair!.publicKey.export({ type: "spki", format: "pem" });
    const text = this.token({}, { alg: "HS256" }).split(".", 2).join(".");
    return `${text}.${createHmac("sha256", pem as string).update(text).digest("base64url")}`;
  }

  #signature(text: string): string {
    const { alg, secret: { pair } } = this.delivered;
    const hash = `sha${alg.slice(2)}`;
    if (pair === undefined) return createHmac(hash, this.text).update(text).digest("base64url");
    const padding = alg.startsWith("PS") ? RSA_PSS : {};
    const key = { key: pair.privateKey, dsaEncoding: "ieee-p1363" as const, ...padding };
    return sign(pair.publicJwk.kty === "OKP" ? null : hash, Buffer.from(text), key)
      .toString("base64url");
  }
}

const RSA_PSS = {
  padding: constants.RSA_PKCS1_PSS_PADDING,
  saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
};

/** A key whose kid begins with a dash, which one in 64 does. */
export function keyWithDash(): KnownKey {
  for (;;) {
    const key = new KnownKey();
    if (key.kid.startsWith("-")) return key;
  }
}

/** Writes keys as a delivery of a preset does, the first one as the current. */
export async function writeByHand(
  preset: "haproxy" | "nginx" | "apache",
  path: string,
  [current, ...previous]: readonly KnownKey[],
): Promise<void> {
  const file = new URL(`../../../src/deliver/presets/${preset}.json`, import.meta.url);
  const { template, index } = await parsePreset(JSON.parse(Deno.readTextFileSync(file)));
  const set: DeliveredKeys = {
    current: current!.delivered,
    previous: previous.map(({ delivered }) => delivered),
  };
  await Deno.writeFile(
    `${path}.new`,
    await render({ template: index?.["keys.conf"] ?? template! }, set),
  );
  await Deno.rename(`${path}.new`, path);
}
