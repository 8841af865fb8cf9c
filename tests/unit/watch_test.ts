import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import { createPrivateKey, createPublicKey, type KeyObject, randomBytes } from "node:crypto";
import { join } from "node:path";
import { Secret } from "../../src/core/secret.ts";
import { finder, spellings } from "../support/leaks/leaks.ts";
import { Watch } from "../support/leaks/watch.ts";
import { output } from "../../scripts/program.ts";

/** One watch over one made-up secret; answers what it reports. */
async function hunt(leak: (secret: Buffer, home: string, watch: Watch) => void | Promise<void>) {
  const folder = Deno.makeTempDirSync({ prefix: "rekey-test-" });
  const home = join(folder, "home");
  Deno.mkdirSync(home);
  const watch = new Watch(folder, home);
  const secret = randomBytes(64);
  Deno.writeTextFileSync(watch.env.REKEY_TRACE!, `${secret.toString("base64")}\n`);
  Deno.writeTextFileSync(join(home, "harmless"), "nothing");
  await leak(secret, home, watch);
  watch.close();
  const report = JSON.parse(Deno.readTextFileSync(join(folder, "report.jsonl")));
  Deno.removeSync(folder, { recursive: true });
  return report;
}

Deno.test("the hunt for leaks finds nothing where nothing is", async () => {
  const { secrets, commands, hits } = await hunt((_secret, _home, watch) =>
    watch.ended(Buffer.from("output"))
  );
  assert.deepEqual([secrets, commands, hits], [1, 1, []]);
});

Deno.test("the hunt for leaks finds every spelling in a file of the home", async () => {
  const count = spellings(randomBytes(64).toString("base64")).length;
  for (let spelling = 0; spelling < count; spelling++) {
    const { hits } = await hunt((secret, home) => {
      // Two spellings of another secret may be the same.
      const all = spellings(secret.toString("base64"));
      const planted = all[spelling % all.length]!;
      Deno.writeFileSync(join(home, "planted"), Buffer.concat([Buffer.from("x"), planted]));
    });
    assert.deepEqual(hits, ["~/planted"]);
  }
});

Deno.test("the hunt for leaks finds what a command printed", async () => {
  const { hits } = await hunt((secret, _home, watch) =>
    watch.ended(Buffer.from(""), Buffer.from(`error: ${secret.toString("base64")}`))
  );
  assert.deepEqual(hits, ["the output of a command"]);
});

Deno.test("the hunt for leaks finds a file that was there for one command only", async () => {
  const { hits } = await hunt((secret, _home, watch) => {
    const path = join(watch.env.TMPDIR!, "planted");
    Deno.writeFileSync(path, secret);
    watch.ended();
    Deno.removeSync(path);
  });
  assert.match(hits.join(), /tmp-.*planted$/);
});

Deno.test("the hunt for leaks finds an argument of any process", async () => {
  const { hits } = await hunt(async (secret, _home, watch) => {
    const script = `sleep 0.3; : ${secret.toString("hex")}`;
    await watch.during(output("/bin/sh", ["-c", script]));
  });
  assert.deepEqual(hits, ["a command line"]);
});

Deno.test("one pass finds any of many values, at the start or the end, and no part of one", () => {
  const needles = Array.from({ length: 500 }, () => randomBytes(64));
  const has = finder(needles);
  const rest = randomBytes(1_000);
  for (const needle of [needles[0]!, needles[499]!]) {
    for (const parts of [[needle], [needle, rest], [rest, needle]]) {
      assert.ok(has(Buffer.concat(parts)));
    }
    assert.ok(!has(Buffer.concat([rest, needle.subarray(0, 63)])));
  }
  assert.ok(!has(Buffer.alloc(0)));
});

// Each form in which other programs write a private key.
const FORMS: Readonly<Record<string, (key: KeyObject, value: string) => Buffer>> = {
  "the stored value": (_key, value) => Buffer.from(value),
  "the stored value as UTF-16": (_key, value) => Buffer.from(value, "utf16le"),
  "PKCS#8 PEM": (key) => Buffer.from(key.export({ type: "pkcs8", format: "pem" })),
  "PEM in JSON": (key) => Buffer.from(JSON.stringify(key.export({ type: "pkcs8", format: "pem" }))),
  "PKCS#8 DER": (key) => key.export({ type: "pkcs8", format: "der" }),
  "DER in hex": (key) =>
    Buffer.from(key.export({ type: "pkcs8", format: "der" }).toString("hex").toUpperCase()),
  "DER in base64url": (key) =>
    Buffer.from(key.export({ type: "pkcs8", format: "der" }).toString("base64url")),
  "lines of 76": (key) =>
    Buffer.from(
      key.export({ type: "pkcs8", format: "der" }).toString("base64").replace(/.{76}/g, "$&\n"),
    ),
  JWK: (key) => Buffer.from(JSON.stringify(key.export({ format: "jwk" }))),
  "d alone": (key) => Buffer.from(key.export({ format: "jwk" }).d!),
  "d in hex": (key) =>
    Buffer.from(Buffer.from(key.export({ format: "jwk" }).d!, "base64url").toString("hex")),
  "PKCS#1 or SEC1 PEM": (key) => {
    const type = { rsa: "pkcs1", ec: "sec1" }[key.asymmetricKeyType as string] ?? "pkcs8";
    return Buffer.from(key.export({ type: type as "pkcs1", format: "pem" }));
  },
};

for (const alg of ["ES256", "ES384", "ES512", "Ed25519", "RS256"] as const) {
  Deno.test(`the hunt for leaks knows each form of a private key for ${alg}, and no public one`, async () => {
    const secret = await Secret.generatePair(alg, 2048);
    const value = secret.reveal();
    const has = finder(spellings(value));
    const key = createPrivateKey({
      key: Buffer.from(value.slice("pkcs8:".length), "base64"),
      format: "der",
      type: "pkcs8",
    });
    for (const [name, write] of Object.entries(FORMS)) {
      const text = write(key, value);
      assert.ok(has(Buffer.concat([Buffer.from("x"), text])), name);
    }
    const open = createPublicKey(key.export({ type: "pkcs8", format: "pem" }) as string);
    const harmless = [
      Buffer.from(JSON.stringify(secret.pair!.publicJwk)),
      open.export({ type: "spki", format: "der" }),
      Buffer.from(open.export({ type: "spki", format: "pem" })),
    ];
    for (const text of harmless) assert.ok(!has(text), "the public half");
  });
}
