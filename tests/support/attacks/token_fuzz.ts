import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { isDeepStrictEqual } from "node:util";
import { decodeJwt, decodeProtectedHeader } from "jose";
import { type JsonObject, parseJws } from "../../../src/jwt/jws.ts";
import { isRekeyError } from "../../../src/core/errors.ts";
import { SecretManager } from "../../../src/secret/manager.ts";
import { testEnvironment } from "../store/environment.ts";
import { attacksOn } from "./jwt_attacks.ts";
import { type Sign, signer } from "./jwt_attacks/row.ts";
import { mutated, type Random, randomText, seeded } from "./mutation.ts";

/** What a series of inputs came to. */
export interface FuzzReport {
  readonly inputs: number;
  /** How many had a token's form, and went the whole way of a verification. */
  parsed: number;
  /** How many were accepted: every one signed with the true secret. */
  accepted: number;
  readonly codes: Record<string, number>;
}

/**
 * Tries random and mutated inputs on the parser and on the verifier. What a seed gives is always the same, but for
 * the secret.
 *
 * @throws {assert.AssertionError} at the first input that gets anything but our refusals, that jose reads otherwise
 * than we do, or that is accepted although it was not signed.
 */
export async function fuzzTokens(inputs: number, seed: number): Promise<FuzzReport> {
  using environment = testEnvironment();
  const secrets = new SecretManager(environment);
  await secrets.getOrCreate();
  const { secret } = await secrets.get();
  const value = secret.reveal();
  const attacks = attacksOn({ value, kid: secret.kid, oldValue: "x".repeat(64), oldKid: "old" });
  const corpus = attacks.map(({ token }) => token).filter((token) => token.length < 2_000);
  const fuzz = new Fuzz(
    secrets,
    signer(value),
    corpus,
    seeded(seed),
    environment.clock() / 1000,
  );
  const report = { inputs, parsed: 0, accepted: 0, codes: {} };
  for (let i = 0; i < inputs; i++) await fuzz.one(report);
  secrets.close();
  return report;
}

/** One line for people. */
export function fuzzFigures({ inputs, parsed, accepted, codes }: FuzzReport): string {
  const refused = Object.entries(codes).map(([code, count]) => `${code} ${count}`).join(", ");
  return `${inputs} inputs, ${parsed} in good form, ` +
    `${accepted} accepted, each signed by us; refused: ${refused}`;
}

class Fuzz {
  constructor(
    private readonly secrets: SecretManager,
    private readonly sign: Sign,
    private readonly corpus: readonly string[],
    private readonly random: Random,
    private readonly now: number,
  ) {}

  async one(report: FuzzReport): Promise<void> {
    const token = this.#make();
    if (!this.#parses(token, report)) return;
    report.parsed++;
    try {
      const { claims } = await this.secrets.verify(token);
      assert.equal(this.#signedAgain(token), token, "no one signed it");
      assert.ok(isAcceptable(decodeProtectedHeader(token), claims, this.now), token);
      report.accepted++;
    } catch (error) {
      if (!isRekeyError(error) || error.exitCode !== 3) throw new Error(token, { cause: error });
      count(report, error.code);
    }
  }

  // A mutation may take away what an attack has added to a token that was signed.
  #signedAgain(token: string): string {
    return this.sign(bytes(decoded(token, 0)), bytes(decoded(token, 1)));
  }

  #make(): string {
    const { random, corpus } = this;
    const pick = () => corpus[Math.floor(random() * corpus.length)]!;
    const kind = random();
    if (kind < 0.1) return randomText(random);
    if (kind < 0.6) return mutated(pick(), pick(), random);
    const [header, payload] = [0, 1].map((part) => {
      const [one, other] = [pick(), pick()].map((token) => decoded(token, part));
      return random() < 0.5 ? one! : mutated(one!, other!, random);
    }) as [string, string];
    return this.sign(bytes(header), bytes(payload));
  }

  #parses(token: string, report: FuzzReport): boolean {
    try {
      const { header, payload } = parseJws(token);
      const same = isDeepStrictEqual([header, payload], [
        decodeProtectedHeader(token),
        decodeJwt(token),
      ]);
      assert.ok(same, `jose reads it otherwise: ${token}`);
      return true;
    } catch (error) {
      if (!isRekeyError(error, "malformed", "too_large")) throw new Error(token, { cause: error });
      assert.ok(token.length < 40 || !error.message.includes(token), "it is quoted");
      count(report, error.code);
      return false;
    }
  }
}

// What has to be so of every token that is accepted, said without the verifier's own words.
function isAcceptable(
  header: object,
  { exp, nbf = 0, ...claims }: JsonObject,
  now: number,
): boolean {
  const { cty = "none" } = header as { cty?: unknown };
  const texts = ["sub", "iss", "jti"].map((name) => typeof (claims[name] ?? ""));
  return (header as JsonObject).alg === "HS512" && texts.every((type) => type === "string") &&
    !/"(crit|b64|jwk|jku|x5c|x5u|zip|enc)":/.test(JSON.stringify(header)) &&
    typeof cty === "string" && !["", "jwt", "jwe", "jws", "jose"].includes(cty.toLowerCase()) &&
    typeof exp === "number" && exp > now && typeof nbf === "number" && nbf <= now;
}

// A character is a byte here, so that bytes can be mutated as texts are.
function decoded(token: string, part: number): string {
  // Some of the attacks are no base64url.
  const text = token.split(".")[part]?.replace(/[^\w-]/g, "") ?? "";
  return Buffer.from(text.length % 4 === 1 ? text.slice(1) : text, "base64url").toString("latin1");
}

function bytes(text: string): Uint8Array {
  return Buffer.from(text, "latin1");
}

function count({ codes }: FuzzReport, code: string): void {
  codes[code] = (codes[code] ?? 0) + 1;
}
