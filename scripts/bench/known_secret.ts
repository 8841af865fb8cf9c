import { Buffer } from "node:buffer";
import { createHmac, randomBytes } from "node:crypto";
import { Secret } from "../../src/core/secret.ts";
import type { Box } from "../../tests/support/process/box.ts";

/** A key that the bench knows, so that it can sign many tokens and tell it to other programs. */
export interface BenchKey {
  readonly alg: string;
  /** What a verifier is told. */
  readonly text: string;
  /** Makes it a box's key. */
  importInto(box: Box): Promise<void>;
  /** A token that is valid for a day. */
  token(sub: string): string;
  /** Writes a file of tokens, one a line, no two the same. */
  writeTokens(path: string, count: number): Promise<void> | void;
}

/** An HMAC secret. */
export class KnownSecret implements BenchKey {
  readonly alg = "HS512";
  readonly text = randomBytes(64).toString("base64");
  readonly #header: string;

  /** @param withKid whether its tokens have a kid, which some programs need. */
  constructor(withKid = false) {
    const kid = withKid ? { kid: Secret.imported(this.text).kid } : {};
    this.#header = encoded({ alg: "HS512", typ: "JWT", ...kid });
  }

  async importInto(box: Box): Promise<void> {
    const { code, stderr } = await box.run(["import", "--alg", "HS512"], { stdin: this.text });
    if (code !== 0) throw new Error(stderr);
  }

  token(sub: string): string {
    const exp = Math.floor(Date.now() / 1000) + 86_400;
    const signed = `${this.#header}.${encoded({ sub, exp })}`;
    return `${signed}.${createHmac("sha512", this.text).update(signed).digest("base64url")}`;
  }

  writeTokens(path: string, count: number): void {
    using file = Deno.openSync(path, { write: true, create: true, truncate: true });
    for (let i = 0; i < count; i += 10_000) {
      const lines = Array.from(
        { length: Math.min(10_000, count - i) },
        (_, n) => this.token(`user-${i + n}`),
      );
      file.writeSync(new TextEncoder().encode(`${lines.join("\n")}\n`));
    }
  }
}

function encoded(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}
