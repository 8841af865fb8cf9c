import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { constants, createPrivateKey, sign } from "node:crypto";
import { join } from "node:path";
import { output } from "../../../scripts/program.ts";
import { now } from "../attacks/foreign_tokens.ts";
import { temporary } from "../process/box.ts";

// An RSA key takes a quarter of a second to make: those of one name and kind are one key in all tests of a file.
const rsaKeys = new Map<string, string>();

const CURVES: Record<string, string> = { ES256: "P-256", ES384: "P-384", ES512: "P-521" };

/** Private keys as other programs make them, in a folder of their own. */
export class ForeignKeys implements Disposable {
  readonly folder = temporary();

  path(name: string): string {
    return join(this.folder, name);
  }

  read(name: string): string {
    return Deno.readTextFileSync(this.path(name));
  }

  /** Runs a program here. @returns what it prints. */
  async run(program: string, ...args: string[]): Promise<string> {
    const env = { PATH: "/usr/bin:/bin", HOME: this.folder };
    const { code, stdout, stderr } = await output(program, args, { cwd: this.folder, env });
    assert.equal(code, 0, `${program} ${args[0]}: ${new TextDecoder().decode(stderr)}`);
    return new TextDecoder().decode(stdout);
  }

  /** A private key in PKCS#8 PEM, made by OpenSSL; a new one unless it is of RSA. @returns its text. */
  async make(alg: string, name = `${alg}.pem`, ...options: string[]): Promise<string> {
    const curve = CURVES[alg];
    const kind = curve !== undefined
      ? ["EC", "-pkeyopt", `ec_paramgen_curve:${curve}`]
      : /^[RP]S\d/.test(alg)
      ? ["RSA"]
      : [alg === "EdDSA" ? "Ed25519" : alg];
    const known = [name, ...kind, ...options].join(" ");
    const again = rsaKeys.get(known);
    if (again === undefined) {
      await this.run("openssl", "genpkey", "-algorithm", ...kind, ...options, "-out", name);
    } else {
      Deno.writeTextFileSync(this.path(name), again, { mode: 0o600 });
    }
    if (kind[0]!.startsWith("RSA")) rsaKeys.set(known, this.read(name));
    return this.read(name);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.folder, { recursive: true });
  }
}

/** A private key as a JWK (RFC 7517). */
export function jwkOf(pem: string): Record<string, string> {
  return { ...createPrivateKey(pem).export({ format: "jwk" }) as Record<string, string> };
}

/** A token that an application signs with its private key. */
export function signedBy(
  pem: string,
  alg: string,
  header: object = {},
  claims: object = {},
): string {
  const parts = [{ alg, typ: "JWT", ...header }, { sub: "old", exp: now() + 600, ...claims }];
  const text = parts.map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");
  const hash = /^Ed/.test(alg) ? null : `sha${alg.slice(2)}`;
  const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: Number(alg.slice(2)) / 8 };
  const how = alg.startsWith("ES")
    ? { dsaEncoding: "ieee-p1363" } as const
    : alg.startsWith("PS")
    ? pss
    : {};
  const bytes = sign(hash, Buffer.from(text), { key: createPrivateKey(pem), ...how });
  return `${text}.${bytes.toString("base64url")}`;
}

/** A text in several forms in which environment variables hold a PEM file. */
export function asVariables(pem: string): [what: string, value: string][] {
  const [first, ...lines] = pem.trim().split("\n");
  const last = lines.pop()!;
  return [
    ["as it is", pem],
    ["\\n for its line ends", pem.replaceAll("\n", "\\n")],
    ["\\r\\n for its line ends", pem.replaceAll("\n", "\\r\\n")],
    ["\\\\n for its line ends", pem.replaceAll("\n", "\\\\n")],
    ["quotes around it", `"${pem.replaceAll("\n", "\\n")}"`],
    ["lines joined by spaces", pem.trim().replaceAll("\n", " ")],
    ["no line ends within", `${first}${lines.join("")}${last}`],
    ["CRLF", pem.replaceAll("\n", "\r\n")],
    ["its base64", btoa(pem)],
    ["its base64 in lines", btoa(pem).replace(/.{76}/g, "$&\n")],
    ["the base64 of its DER", lines.join("")],
  ];
}
