import { Buffer } from "node:buffer";
import { createHmac, randomBytes } from "node:crypto";
import { Secret } from "../../../src/core/secret.ts";
import type { DeliveredKey, DeliveredKeys } from "../../../src/deliver/key_set.ts";
import { parsePreset } from "../../../src/deliver/preset.ts";
import { render } from "../../../src/deliver/render.ts";
import type { Algorithm } from "../../../src/core/algorithms.ts";

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
    this.text = text ?? randomBytes(64).toString("base64");
    const secret = Secret.imported(this.text);
    const expires = expiresAt ?? null;
    this.delivered = { kid: secret.kid, alg, keyForm: "text", secret, expiresAt: expires };
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
    const hash = `sha${alg.slice(2)}`;
    return `${signed}.${createHmac(hash, this.text).update(signed).digest("base64url")}`;
  }
}

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
  const { template } = await parsePreset(JSON.parse(Deno.readTextFileSync(file)));
  const set: DeliveredKeys = {
    current: current!.delivered,
    previous: previous.map(({ delivered }) => delivered),
  };
  await Deno.writeFile(`${path}.new`, await render({ template: template! }, set));
  await Deno.rename(`${path}.new`, path);
}
