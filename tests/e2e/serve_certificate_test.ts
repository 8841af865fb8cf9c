import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { readCertificate } from "../../src/serve/certificate.ts";
import { CertificateWatch } from "../../src/serve/certificate_watch.ts";
import { Box } from "../support/process/box.ts";
import { certify, type KeyPair, tlsFlags } from "../support/http/certificates.ts";
import { initialised } from "../support/process/initialised.ts";
import { Serving } from "../support/http/serving.ts";

Deno.test("each fault of a certificate or its key has its own error, and nothing listens", async () => {
  using box = await initialised();
  const [one, two] = [await certify(box, "one"), await certify(box, "two")];
  const [cert, other] = [await Deno.readTextFile(one.cert), await Deno.readTextFile(two.cert)];
  const key = await Deno.readTextFile(one.key);
  const make = async (name: string, ...args: string[]) => {
    const { code, stderr } = await box.exec("openssl", [...args, "-out", join(box.home, name)]);
    assert.equal(code, 0, stderr);
    return await Deno.readFile(join(box.home, name));
  };
  const pkcs8 = await make("e1", ...["pkey", "-in", one.key, "-aes128", "-passout", "pass:abcd"]);
  const sec1 = await make("e2", ...["ec", "-in", one.key, "-aes128", "-passout", "pass:abcd"]);
  const der = await make("e3", ...["x509", "-in", one.cert, "-outform", "der"]);
  const files: [string | Uint8Array, string | Uint8Array, string, RegExp][] = [
    [other, key, "tls_key_mismatch", /is not its key$/],
    [other + cert, key, "tls_chain_order", /in the wrong order$/],
    [cert, pkcs8, "tls_key_encrypted", /the key is encrypted$/],
    [cert, sec1, "tls_key_encrypted", /the key is encrypted$/],
    ["", key, "tls_unusable", /it is empty$/],
    [cert, "\n", "tls_unusable", /it is empty$/],
    [cert.slice(0, 200), key, "tls_unusable", /it is cut off$/],
    [cert + other.slice(0, 200), key, "tls_unusable", /it is cut off$/],
    [cert, key.slice(0, 60), "tls_unusable", /it is cut off$/],
    [key, cert, "tls_unusable", /it contains a key and no certificate$/],
    [cert, cert, "tls_unusable", /it contains no private key in PEM$/],
    [der, key, "tls_unusable", /it contains no certificate in PEM$/],
    [cert.replace(/MII.{40}/, "AAAA"), key, "tls_unusable", /Cannot use/],
  ];
  const used: KeyPair = { cert: join(box.home, "used.pem"), key: join(box.home, "used.key") };
  const serve = ["serve", "--listen", "127.0.0.1:0", ...tlsFlags(used), "--json"];
  for (const [chain, secret, code, message] of files) {
    for (const [path, content] of [[used.cert, chain], [used.key, secret]] as const) {
      await Deno.writeFile(path, new TextEncoder().encode(""));
      if (typeof content === "string") await Deno.writeTextFile(path, content);
      else await Deno.writeFile(path, content);
    }
    const ended = await box.run(serve);
    const { error } = JSON.parse(ended.stderr.trim().split("\n").at(-1)!);
    assert.deepEqual([ended.code, error.code], [1, code], ended.stderr);
    assert.match(error.message, message);
    assert.ok(error.hint.length > 0);
    assert.doesNotMatch(ended.stderr + ended.stdout, /listening/);
  }
  await Deno.remove(used.key);
  assert.equal((await box.run(serve)).code, 2);
});

Deno.test("a certificate that has expired, is not yet valid or has another name is served with a warning", async () => {
  using box = await initialised();
  const names = ["-addext", "subjectAltName=DNS:app.example.com,DNS:*.example.com,DNS:localhost"];
  const make = (days: string, name: string) => certify(box, name, "-days", days);
  const started = async (pair: KeyPair, ...args: string[]) => {
    await using serving = await Serving.start(box, [
      ...["--listen", "127.0.0.1:0", ...tlsFlags(pair), ...args],
    ]);
    await serving.stop();
    return serving.stderr.split("\n").filter((line) => line.includes("warning"));
  };
  const good = await make("2", "good");
  assert.deepEqual(await started(good), []);
  // A remark before the block, in another encoding than UTF-8.
  const remark = new Uint8Array([0x4d, 0xfc, 0x6c, 0x6c, 0x0a]);
  await Deno.writeFile(good.cert, Buffer.concat([remark, await Deno.readFile(good.cert)]));
  assert.deepEqual(await started(good), []);
  const old = await certify(box, "old", ...["-days", "1"]);
  const past = await box.exec("faketime", [
    ...["5 days ago", "openssl", "req", "-x509", "-key", old.key, "-out", old.cert],
    ...["-subj", "/CN=old", "-days", "1"],
  ]);
  assert.equal(past.code, 0, past.stderr);
  assert.match((await started(old)).join(), /has expired: \d{4}-/);
  const coming = await box.exec("faketime", [
    ...["5 days", "openssl", "req", "-x509", "-key", old.key, "-out", old.cert],
    ...["-subj", "/CN=new", "-days", "1"],
  ]);
  assert.equal(coming.code, 0, coming.stderr);
  assert.match((await started(old)).join(), /not yet valid: it is valid from \d{4}-/);
  const named = join(box.home, "named.pem");
  await box.exec("openssl", [
    ...["req", "-x509", "-key", old.key, "-out", named, "-subj", "/CN=named", ...names],
  ]);
  const pair = { cert: named, key: old.key };
  const own = ["--host", "app.example.com", "--host", "x.example.com", "--host", "10.0.0.7"];
  assert.deepEqual(await started(pair, ...own), []);
  const told = await started(pair, ...own, "--host", "shop.example.org");
  assert.match(told.join(), /is not for shop\.example\.org, which --host names$/);
});

Deno.test("a certificate that is renewed while the server starts is found by its first look", async () => {
  using box = new Box();
  const [one, two] = [await certify(box, "one"), await certify(box, "two")];
  const read = readCertificate(one);
  assert.equal(new CertificateWatch(one, read).look().kind, "same");
  Deno.renameSync(two.cert, one.cert);
  Deno.renameSync(two.key, one.key);
  const watch = new CertificateWatch(one, read);
  assert.equal(watch.look().kind, "renewed");
  assert.equal(watch.look().kind, "same", "it is told once");
});
