import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import { deflateSync, gzipSync } from "node:zlib";
import { RekeyError } from "../../src/core/errors.ts";
import { layers } from "../../src/secret/import/encodings.ts";
import { publicIn } from "../../src/secret/import/public_key.ts";
import { derSource, keySource, sourceOf } from "../../src/secret/import/source.ts";
import { THOROUGH } from "../support/process/sample.ts";

const HINT =
  /^It has only the public key, which signs nothing: import the private key.*; if the application does use it as it is, --literal imports it$/;
const ENCODINGS = ["hex", "base64", "base64url"] as const;
const CURVES = [["P-256", 65], ["P-384", 97], ["P-521", 133]] as const;

/** Base32 with padding (RFC 4648 §6). */
function base32(data: Uint8Array): string {
  const bits = [...data].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  const letters = bits.match(/.{1,5}/g)!
    .map((part) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[parseInt(part.padEnd(5, "0"), 2)]).join("");
  return letters.padEnd(Math.ceil(letters.length / 8) * 8, "=");
}

const quoted = (text: string) => JSON.stringify(text);

/** What tools and people make of a key. */
const WRAPPED: Readonly<Record<string, (key: Uint8Array) => string>> = {
  ...Object.fromEntries(ENCODINGS.map((one) => [one, (key) => Buffer.from(key).toString(one)])),
  "base32": base32,
  "base32 in small letters": (key) => base32(key).toLowerCase().replace(/=+$/, ""),
  "base64 with its name": (key) => `base64:${key.toBase64()}`,
  "a data URL": (key) => `data:application/octet-stream;base64,${key.toBase64()}`,
  "hex after 0x": (key) => `0x${key.toHex()}`,
  "hex with colons": (key) => key.toHex().toUpperCase().replace(/..(?=.)/g, "$&:"),
  "hex of a C program": (key) => key.toHex().replace(/../g, "0x$&, "),
  "hex with backslashes": (key) => key.toHex().replace(/../g, "\\x$&"),
  "base64 in quotes": (key) => quoted(key.toBase64()),
  "base64 after a comment": (key) => `# the key\n${key.toBase64()}\n`,
  "lines of base64, as variables have them": (key) => key.toBase64().replace(/.{64}/g, "$&\\n"),
  "base64 of gzip": (key) => gzipSync(key).toString("base64"),
  "base64 of zlib": (key) => deflateSync(key).toString("base64"),
  "percent-encoded base64": (key) => encodeURIComponent(`${key.toBase64()}=`).slice(0, -3),
};

const bytes = (text: string) => new TextEncoder().encode(text);

/** What is read of an input without `--literal`, a text as such. */
const read = (input: string | Uint8Array) =>
  typeof input === "string" ? keySource(input, {}) : derSource(input, {});

function mustBePublic(input: string | Uint8Array, what: RegExp): void {
  assert.throws(() => read(input), (error) => {
    assert.ok(error instanceof RekeyError);
    assert.match(error.message, what);
    assert.match(error.hint ?? "", HINT);
    return true;
  });
  assert.ok(publicIn(typeof input === "string" ? bytes(input) : input));
}

function mustBeSecret(key: Buffer, forms: readonly string[] = Object.keys(WRAPPED)): void {
  for (const input of [key, ...forms.map((form) => WRAPPED[form]!(key))]) {
    assert.equal(read(input), undefined);
    if (typeof input === "string") {
      assert.equal(sourceOf(input, {}).reading.text, input.replace(/\n$/, ""));
    }
    assert.equal(publicIn(typeof input === "string" ? bytes(input) : input), undefined);
  }
}

/** SEC 1 §2.3.3, uncompressed. */
function pointOf(key: KeyObject): Buffer {
  const { x, y } = key.export({ format: "jwk" });
  return Buffer.concat([Buffer.of(4), ...[x, y].map((one) => Buffer.from(one!, "base64url"))]);
}

Deno.test("a public key is refused with one hint, whatever form it has", () => {
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const pem = String(publicKey.export({ format: "pem", type: "spki" }));
  const der = Buffer.from(publicKey.export({ format: "der", type: "spki" }));
  const jwk = JSON.stringify(publicKey.export({ format: "jwk" }));
  for (const whole of [pem, der, jwk]) {
    mustBePublic(whole, /a public (key|JWK)$/);
    for (const encoding of ENCODINGS) {
      mustBePublic(Buffer.from(whole).toString(encoding), /a public key$|keys are public$/);
    }
  }
});

Deno.test("a public key is found in whatever it was wrapped, also twice", () => {
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const der = Buffer.from(publicKey.export({ format: "der", type: "spki" }));
  const pem = Buffer.from(publicKey.export({ format: "pem", type: "spki" }));
  const jwk = Buffer.from(JSON.stringify(publicKey.export({ format: "jwk" })));
  for (const key of [der, pem, jwk, pointOf(publicKey)]) {
    mustBePublic(gzipSync(key), /public/);
    for (const one of Object.values(WRAPPED)) {
      mustBePublic(one(key), /public/);
      for (const other of Object.values(WRAPPED)) mustBePublic(other(bytes(one(key))), /public/);
    }
  }
});

Deno.test("an SSH public key is one after options, a host or a comment, and without its name", () => {
  const blob = Buffer.concat([Buffer.of(0, 0, 0, 11), Buffer.from("ssh-ed25519"), randomBytes(36)])
    .toString("base64");
  const line = `ssh-ed25519 ${blob} me@host`;
  for (
    const text of [
      blob,
      `# of the office\n${line}\n`,
      `from="10.0.0.0/8",no-pty ${line}`,
      `command="/bin/true" ${line}`,
      `example.org ${line}`,
      `ssh-ed25519-cert-v01@openssh.com\t${blob}`,
      `sk-ssh-ed25519@openssh.com ${blob}`,
      `---- BEGIN SSH2 PUBLIC KEY ----\n${blob}\n---- END SSH2 PUBLIC KEY ----\n`,
    ]
  ) {
    mustBePublic(text, /an SSH public key$/);
    mustBePublic(Buffer.from(text).toString("base64"), /an SSH public key$/);
  }
});

Deno.test("the XML of a public key, and the k of a JWK that is one, are no secrets", () => {
  const xml = "<RSAKeyValue><Modulus>AQ==</Modulus><Exponent>AQAB</Exponent>";
  mustBePublic(`${xml}</RSAKeyValue>`, /a public key$/);
  assert.equal(publicIn(`${xml}<D>AQ==</D></RSAKeyValue>`), undefined);
  const pem = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey
    .export({ format: "pem", type: "spki" });
  const k = Buffer.from(pem).toString("base64url");
  assert.throws(() => read(JSON.stringify({ kty: "oct", k })), /the k of the JWK is a public key/);
});

// The most that `rekey import` reads.
const MOST_READ = 65_536;

Deno.test("a bomb of gzip in gzip is no public key, and is not unpacked", () => {
  const bomb = gzipSync(gzipSync(Buffer.alloc(60_000_000)));
  assert.ok(bomb.length < MOST_READ);
  for (const { length } of layers(bomb)) assert.ok(length <= MOST_READ, `${length} bytes`);
  assert.equal(publicIn(bomb), undefined);
  assert.equal(publicIn(randomBytes(MOST_READ).toString("hex").slice(0, MOST_READ)), undefined);
});

Deno.test("a point of a curve is a public key, also one with zeros before a coordinate", () => {
  for (const [namedCurve, length] of CURVES) {
    for (let left = 40; left > 0; left--) {
      const point = pointOf(generateKeyPairSync("ec", { namedCurve }).publicKey);
      assert.equal(point.length, length);
      mustBePublic(point, /the point of a public key$/);
      for (const encoding of ENCODINGS) mustBePublic(point.toString(encoding), /the point of/);
    }
  }
});

const [OF_EACH_LENGTH, BESIDE_CURVES] = THOROUGH ? [4, 700] : [1, 200];

Deno.test("no random secret is taken for a public key", () => {
  for (let length = 32; length <= 133; length++) {
    for (let left = OF_EACH_LENGTH!; left > 0; left--) mustBeSecret(randomBytes(length));
  }
  for (const [namedCurve, length] of CURVES) {
    for (let left = BESIDE_CURVES!; left > 0; left--) {
      mustBeSecret(Buffer.concat([Buffer.of(4), randomBytes(length - 1)]), ENCODINGS);
    }
    // Its neighbour is not on the curve.
    const point = pointOf(generateKeyPairSync("ec", { namedCurve }).publicKey);
    mustBeSecret(Buffer.concat([point.subarray(0, -1), Buffer.of(point.at(-1)! ^ 1)]));
    // A half of all random values of its length are such points.
    mustBeSecret(Buffer.concat([Buffer.of(2), point.subarray(1, (length + 1) / 2)]));
  }
});

Deno.test("a public key beside a secret in a file of NAME=VALUE lines: the hint is --name", () => {
  const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const pem = publicKey.export({ type: "spki", format: "pem" }).toString();
  const files = [
    `JWT_SECRET=${randomBytes(32).toString("hex")}\nPUBLIC_KEY="${pem}"\n`,
    `PUBLIC_KEY="${pem.replaceAll("\n", "\\n")}"\nJWT_SECRET=${randomBytes(32).toString("hex")}\n`,
  ];
  for (const file of files) {
    assert.throws(() => sourceOf(file, {}), (error) => {
      assert.ok(error instanceof RekeyError);
      assert.match(error.message, /NAME=VALUE lines with a public key among them$/);
      assert.match(error.hint ?? "", /^Name the variable of the secret with --name/);
      return true;
    });
    assert.ok(sourceOf(file, { name: "JWT_SECRET" }).reading.text);
  }
  mustBePublic(pem, /: it is a public key$/);
});
