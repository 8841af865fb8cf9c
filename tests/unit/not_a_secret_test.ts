import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { generateKeyPairSync, randomBytes, randomUUID } from "node:crypto";
import { asRefusal, isRekeyError } from "../../src/core/errors.ts";
import { sourceOf } from "../../src/secret/import/source.ts";
import { recognised } from "../../src/secret/import/not_a_secret.ts";

const pem = (what: string) => `-----BEGIN ${what}-----\nMIIB\n-----END ${what}-----\n`;
const b64 = (text: string) => btoa(text).replace(/=+$/, "");

const WHAT: [text: string, what: RegExp][] = [
  [`key: |\n${pem("PRIVATE KEY")}`, /a text with a private key/],
  [pem("PGP PRIVATE KEY BLOCK"), /a PGP private key/],
  [pem("PUBLIC KEY"), /a public key/],
  [pem("PGP PUBLIC KEY BLOCK"), /a public key/],
  [pem("CERTIFICATE"), /a certificate/],
  [pem("CERTIFICATE REQUEST"), /a certificate request/],
  [pem("X509 CRL"), /PEM/],
  [pem("PGP MESSAGE"), /an encrypted message/],
  [`bag attributes\n${pem("PRIVATE KEY")}`, /a text with a private key/],
  ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA me@host", /an SSH public key/],
  ["ecdsa-sha2-nistp256 AAAAE2VjZHNh", /an SSH public key/],
  ["PuTTY-User-Key-File-3: ssh-ed25519", /an SSH private key/],
  ["---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nP2/5\n", /an SSH private key/],
  [`AGE-SECRET-KEY-1${"Q".repeat(58)}`, /an age key/],
  [`# created: 2026\n# public key: age1\nAGE-SECRET-KEY-1${"Q".repeat(58)}`, /an age key/],
  [`${b64('{"alg":"HS256","typ":"JWT"}')}.${b64('{"sub":"a"}')}.c2ln`, /a token/],
  [`Bearer ${b64('{"alg":"HS256"}')}.${b64("{}")}.c2ln`, /a token/],
  [`${b64('{"alg":"dir","enc":"A256GCM"}')}..aXY.Y3Q.dGFn`, /a token/],
  ["JWT_SECRET=abc\nPORT=80\n", /NAME=VALUE/],
  ["# settings\nexport JWT_SECRET='abc'\n", /NAME=VALUE/],
  ["JWT_SECRET=abc", /NAME=VALUE/],
  ["jwtSecret = abc", /NAME=VALUE/],
  ["\uFEFFJWT_SECRET=abc\r\nA=b\r\n", /NAME=VALUE/],
  ['{"Jwt":{"Key":"abc"}}', /JSON/],
  ['["a","b"]', /JSON/],
  ["jwt:\n  secret: abc\n", /YAML/],
  ["jwt_secret: abc", /YAML/],
  ["<configuration><add key='a'/></configuration>", /XML/],
  ['<?xml version="1.0"?><a/>', /XML/],
  ["https://vault.example/v1/secret", /a URL/],
  ["op://vault/item/field", /a URL/],
  ["data:text/plain;base64,QUJD", /a URL/],
  ["const SECRET = 'abc';", /a line of a program/],
  ["export const jwtSecret: string = `abc`", /a line of a program/],
  ['private static final String SECRET = "abc";', /a line of a program/],
  ['String secret = "abc";', /a line of a program/],
  ['secret := "abc"', /a line of a program/],
  ["$secret = 'abc';", /a line of a program/],
  ["$env:JWT_SECRET='abc'", /a line of a program/],
  ["'secret' => 'abc',", /a line of a program/],
  ['"JwtSecret": "abc",', /a line of a program/],
  ["define('JWT_SECRET', 'abc');", /a line of a program/],
  ["set JWT_SECRET=abc\r\n", /a line of a program/],
  ["setx JWT_SECRET abc", /a line of a program/],
  ["ENV JWT_SECRET=abc", /a line of a program/],
  ["ENV JWT_SECRET abc", /a line of a program/],
  ["Environment=JWT_SECRET=abc", /a line of a program/],
  ["- JWT_SECRET=abc", /a line of a program/],
  ["docker run -e JWT_SECRET=abc app", /a line of a program/],
  ["[jwt]\nsecret = abc\n", /a line of a program/],
  ["module.exports = {\n  secret: 'abc',\n};\n", /a line of a program/],
  ["${JWT_SECRET}", /a placeholder/],
  ["${JWT_SECRET:-changeme}", /a placeholder/],
  ["$JWT_SECRET", /a placeholder/],
  ["$(cat /run/secrets/jwt)", /a placeholder/],
  ["{{ jwt_secret }}", /a placeholder/],
  ["<secret>", /a placeholder/],
  ["<your secret here>", /a placeholder/],
  ["[your-secret]", /a placeholder/],
  ["%JWT_SECRET%", /a placeholder/],
  ["#{JwtSecret}#".slice(0, -1), /a placeholder/],
  ["__JWT_SECRET__", /a placeholder/],
  ["undefined", /a placeholder/],
  ["null", /a placeholder/],
  ["changeme", /a placeholder/],
  ["change-me", /a placeholder/],
  ["REPLACE_ME", /a placeholder/],
  ["your_jwt_secret_here", /a placeholder/],
  ["xxxxxxxx", /a placeholder/],
  ["********", /a placeholder/],
  ["arn:aws:secretsmanager:eu-west-1:1:secret:jwt", /the name of a secret/],
  ["@Microsoft.KeyVault(SecretUri=https://x)", /the name of a secret/],
  ["vault:secret/data/jwt#key", /the name of a secret/],
  ["ENC[AES256_GCM,data:abc]", /the name of a secret/],
  ["$2b$12$abcdefghijklmnopqrstuv", /the hash of a password/],
  ["$argon2id$v=19$m=65536", /the hash of a password/],
  ['"quoted value"', /a value in quotes/],
  ["'quoted value'", /a value in quotes/],
  ["`quoted value`", /a value in quotes/],
  ["\u201cquoted value\u201d", /a value in quotes/],
  ['"quoted value"\n', /a value in quotes/],
];

Deno.test("what is plainly not a secret is named, and nothing of it is quoted", () => {
  for (const [text, what] of WHAT) {
    const refusal = recognised(text);
    assert.ok(isRekeyError(refusal, "usage"), text);
    assert.match(refusal.message, what, text);
    assert.match(refusal.hint ?? "", /--literal/);
    assert.ok(!refusal.message.includes(text.trim().slice(0, 12)), refusal.message);
    assert.equal(sourceOf(text, { literal: true }).doubt, undefined);
    assert.notEqual(doubtOf(text), undefined);
  }
});

const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const SPKI = publicKey.export({ type: "spki", format: "der" });
const JWK = publicKey.export({ format: "jwk" });
const RSA = generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey;
const asPem = publicKey.export({ type: "spki", format: "pem" }) as string;
const inHex = (data: Uint8Array | string) => Buffer.from(data).toString("hex");

/** Texts of public keys that look like a random secret, or like JSON with one in it. */
const PUBLIC: Record<string, string> = {
  "base64 of DER": SPKI.toString("base64"),
  "base64url of DER": SPKI.toString("base64url"),
  "hex of DER": SPKI.toString("hex"),
  "hex of DER, as openssl prints it": inHex(SPKI).toUpperCase().replace(/..(?=.)/g, "$&:"),
  "hex of DER on several lines": inHex(SPKI).replace(/.{60}/g, "$&\n"),
  "hex of PKCS#1": RSA.export({ type: "pkcs1", format: "der" }).toString("hex"),
  "base64url of PKCS#1": RSA.export({ type: "pkcs1", format: "der" }).toString("base64url"),
  "hex of PEM": inHex(asPem),
  "base64url of PEM": Buffer.from(asPem).toString("base64url"),
  "base64 of a JWK": btoa(JSON.stringify(JWK)),
  "hex of a JWK Set": inHex(JSON.stringify({ keys: [JWK] })),
  "a JWK deep in JSON": JSON.stringify({ a: [{ b: { jwks: { keys: [JWK] } } }], c: "d" }),
  "a JWK as a text in JSON": JSON.stringify({ a: JSON.stringify(JWK) }),
  "base64 of that": btoa(JSON.stringify({ a: JSON.stringify(JWK) })),
};

Deno.test("no form of a public key is a secret, whatever token it signs", () => {
  for (const [what, text] of Object.entries(PUBLIC)) {
    for (const given of [text, `${text}\n`, JSON.stringify({ Jwt: { Key: text } })]) {
      const options = given.startsWith('{"Jwt"') ? { name: "Jwt:Key" } : {};
      assert.throws(() => sourceOf(given, options), (error) => isRekeyError(error, "usage"), what);
    }
    assert.equal(sourceOf(text, { literal: true }).reading.text, text);
  }
});

Deno.test("a private key is one in hex and base64url, too", () => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const der = privateKey.export({ type: "pkcs8", format: "der" });
  const pem = privateKey.export({ type: "pkcs8", format: "pem" });
  for (const bytes of [der, Buffer.from(pem)]) {
    for (const encoding of ["hex", "base64url", "base64"] as const) {
      const { reading } = sourceOf(bytes.toString(encoding), {});
      assert.deepEqual(reading.key?.algorithms, ["ES256"], encoding);
    }
  }
});

Deno.test("JSON of many brackets is no secret, and no bug", () => {
  const deep = "[".repeat(30_000) + "]".repeat(30_000);
  assert.equal(sourceOf(deep, {}).reading.text, deep);
});

/** What speaks against a value until a token shows that it signs; or why none can show it, as for a public key. */
function doubtOf(text: string) {
  try {
    return sourceOf(text, {}).doubt;
  } catch (error) {
    return asRefusal(error);
  }
}

Deno.test("secrets of every make are taken for what they are", () => {
  const alphabet = String.fromCharCode(...Array.from({ length: 94 }, (_, n) => n + 33));
  const password = () => Array.from(randomBytes(40), (byte) => alphabet[byte % 94]).join("");
  for (let round = 0; round < 2_000; round++) {
    const bytes = randomBytes(32 + round % 40);
    const made = [bytes.toString("base64"), bytes.toString("base64url"), bytes.toString("hex")];
    for (const text of [...made, randomUUID(), `${randomUUID()}${randomUUID()}`]) {
      assert.equal(recognised(text), undefined, text);
    }
    const typed = password();
    // One in many looks like quotes, a variable, JSON or a URL.
    if (/^["'`$]|=|^<.*>$|^[[{].*[\]}]$|:\/\//.test(typed)) continue;
    assert.equal(recognised(typed), undefined, typed);
  }
  const lines = randomBytes(64).toString("base64").replace(/.{64}/, "$&\n");
  const words = ["correct horse battery staple, twice over", "set the table: a fork = 2 spoons"];
  for (const text of [lines, ...words, "a=b", "p@ss:word/1", "C:\\x", "-e", "$a=b=c"]) {
    assert.equal(recognised(text), undefined, text);
  }
});
