import { Buffer } from "node:buffer";
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import type { Box } from "../../tests/support/process/box.ts";
import type { BenchKey } from "./known_secret.ts";
import { peer } from "./peers.ts";
import { run } from "../program.ts";

/** A key pair for ES256 that the bench knows. */
export class KnownPair implements BenchKey {
  readonly alg = "ES256";
  readonly #pem = pemOf(generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey);

  /** The public half, as PEM. */
  get text(): string {
    return String(createPublicKey(this.#pem).export({ type: "spki", format: "pem" }));
  }

  /** The public half, as DER in base64. */
  get spki(): string {
    const der = createPublicKey(this.#pem).export({ type: "spki", format: "der" });
    return der.toString("base64");
  }

  async importInto(box: Box): Promise<void> {
    const { code, stderr } = await box.run(["import"], { stdin: this.#pem });
    if (code !== 0) throw new Error(stderr);
  }

  token(sub: string): string {
    const exp = Math.floor(Date.now() / 1000) + 86_400;
    const signed = `${encoded({ alg: this.alg, typ: "JWT" })}.${encoded({ sub, exp })}`;
    const key = { key: createPrivateKey(this.#pem), dsaEncoding: "ieee-p1363" } as const;
    return `${signed}.${sign("sha256", Buffer.from(signed), key).toString("base64url")}`;
  }

  /** Writes a file of tokens, one a line, no two the same. By node, which signs ten times as fast. */
  async writeTokens(path: string, count: number): Promise<void> {
    const { code, stderr } = await run("node", [peer("sign.cjs"), path, String(count)], {
      stdin: this.#pem,
    });
    if (code !== 0) throw new Error(stderr);
  }
}

function pemOf(key: ReturnType<typeof createPrivateKey>): string {
  return String(key.export({ type: "pkcs8", format: "pem" }));
}

function encoded(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}
