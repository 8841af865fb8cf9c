import assert from "node:assert/strict";
import { join } from "node:path";
import type { Box } from "../support/process/box.ts";
import { certify, type KeyPair, tlsFlags } from "../support/http/certificates.ts";
import { initialised } from "../support/process/initialised.ts";
import { Serving } from "../support/http/serving.ts";
import { servedName, TlsLine } from "../support/http/tls_line.ts";

const count = (serving: Serving, text: string) => serving.stderr.split(text).length - 1;
const RENEWED = "the renewed certificate is in use";
const KEPT = "the certificate in use stays";

/** A server whose certificate is at two paths that something else is put in the place of. */
async function open(box: Box, ...args: string[]) {
  const used: KeyPair = { cert: join(box.home, "used.pem"), key: join(box.home, "used.key") };
  const [one, two] = [await certify(box, "one"), await certify(box, "two")];
  await copy(one, used);
  const serving = await Serving.start(box, [
    ...["--listen", "127.0.0.1:0", ...tlsFlags(used), ...args],
  ]);
  const { port } = new URL(serving.url);
  return { serving, port, used, one, two };
}

/** Puts a text in a file's place at once: a look between two steps would find something else. */
async function put(text: string, path: string) {
  await Deno.writeTextFile(`${path}.new`, text, { mode: 0o600 });
  await Deno.rename(`${path}.new`, path);
}

async function copy(from: KeyPair, to: KeyPair) {
  await Deno.copyFile(from.cert, to.cert);
  await Deno.copyFile(from.key, to.key);
}

for (const workers of ["1", "3"]) {
  Deno.test(`a renewed certificate is taken up by itself, and open connections stay: ${workers} threads`, async () => {
    using box = await initialised();
    const { serving, port, used, two } = await open(box, "--workers", workers);
    await using _ = serving;
    assert.equal(await servedName(box, port), "one");
    await using line = new TlsLine(port);
    assert.equal(await line.ask("/healthz"), "HTTP/1.1 200 OK");
    await copy(two, used);
    await serving.until(() => count(serving, RENEWED) === 1);
    // Whichever thread it comes to.
    for (let i = 0; i < 20; i++) assert.equal(await servedName(box, port), "two");
    for (let i = 0; i < 3; i++) assert.equal(await line.ask("/healthz"), "HTTP/1.1 200 OK");
  });
}

Deno.test("every way of putting a new certificate there: rename, links, a link to the folder", async () => {
  using box = await initialised();
  const [one, two] = [await certify(box, "one"), await certify(box, "two")];
  // As Kubernetes does: files are links through a link to a folder, which is exchanged.
  for (const [name, pair] of [["v1", one], ["v2", two]] as const) {
    await Deno.mkdir(join(box.home, name));
    await copy(pair, {
      cert: join(box.home, name, "tls.crt"),
      key: join(box.home, name, "tls.key"),
    });
  }
  const at = (name: string) => join(box.home, name);
  const lead = async (target: string, path: string) => {
    await Deno.symlink(target, at("new"));
    await Deno.rename(at("new"), at(path));
  };
  await lead("v1", "..data");
  await Deno.mkdir(at("live"));
  await lead("../..data/tls.crt", "live/tls.crt");
  await lead("../..data/tls.key", "live/tls.key");
  await using serving = await Serving.start(box, [
    ...["--listen", "127.0.0.1:0", "--workers", "2"],
    ...tlsFlags({ cert: at("live/tls.crt"), key: at("live/tls.key") }),
  ]);
  const { port } = new URL(serving.url);
  let renewals = 0;
  const becomes = async (name: string) => {
    renewals++;
    await serving.until(() => count(serving, RENEWED) === renewals);
    assert.equal(await servedName(box, port), name);
  };
  await lead("v2", "..data");
  await becomes("two");
  // As certbot does: each file is led to another one.
  await lead(one.key, "live/tls.key");
  await lead(one.cert, "live/tls.crt");
  await becomes("one");
  await Deno.copyFile(two.key, at("next.key"));
  await Deno.copyFile(two.cert, at("next.crt"));
  await Deno.rename(at("next.key"), at("live/tls.key"));
  await Deno.rename(at("next.crt"), at("live/tls.crt"));
  await becomes("two");
});

Deno.test("a certificate that cannot be used is reported and the old one stays; the next good one is loaded", async () => {
  using box = await initialised();
  const { serving, port, used, one, two } = await open(box);
  await using _ = serving;
  const text = await Deno.readTextFile(two.cert);
  let kept = 0;
  const stays = async (why: RegExp) => {
    kept++;
    await serving.until(() => count(serving, KEPT) === kept);
    assert.match(serving.stderr.split(KEPT).at(-1)!, why);
    assert.equal(await servedName(box, port), "one");
  };
  await put(text, used.cert);
  await stays(/is not its key/);
  await put("", used.cert);
  await stays(/it is empty/);
  await put(text.slice(0, 300), used.cert);
  await stays(/it is cut off/);
  await Deno.remove(used.key);
  await stays(/it is cut off|Cannot read/);
  await put(text, used.cert);
  await stays(/Cannot read/);
  // Told once, but to who asks.
  serving.process.kill("SIGHUP");
  await stays(/Cannot read/);
  await Deno.copyFile(two.key, used.key);
  await serving.until(() => count(serving, RENEWED) === 1);
  assert.equal(await servedName(box, port), "two");
  await copy(one, used);
  serving.process.kill("SIGHUP");
  await serving.until(() => count(serving, RENEWED) === 2);
  assert.equal(await servedName(box, port), "one");
});

Deno.test("SIGHUP reads the certificate again and ends no server, with TLS or without", async () => {
  using box = await initialised();
  const { serving, used, two } = await open(box);
  await using _ = serving;
  serving.process.kill("SIGHUP");
  await serving.until(() => serving.stderr.includes("the certificate has not changed"));
  await copy(two, used);
  serving.process.kill("SIGHUP");
  await serving.until(() => count(serving, RENEWED) === 1);
  await using plain = await Serving.start(box, [], { before: "trap '' HUP" });
  for (let i = 1; i <= 3; i++) {
    plain.process.kill("SIGHUP");
    await plain.until(() => count(plain, "there is no certificate to read again") === i);
  }
  assert.equal(await plain.status(plain.get("/healthz")), 200);
  await using socket = await Serving.start(box, ["--unix", join(box.home, "rekey.sock")]);
  socket.process.kill("SIGHUP");
  await socket.until(() => count(socket, "there is no certificate") === 1);
  for (const one of [serving, plain, socket]) assert.equal((await one.stop()).code, 0);
});

Deno.test("it answers all the time while certificates are renewed", async () => {
  using box = await initialised();
  const pairs = [await certify(box, "one"), await certify(box, "two")] as const;
  // Of one file each, which is replaced at once: a certificate without its key would be warned of.
  const both = await Promise.all(
    pairs.map(async ({ cert, key }) =>
      await Deno.readTextFile(cert) + await Deno.readTextFile(key)
    ),
  );
  const file = join(box.home, "both.pem");
  await put(both[0]!, file);
  const tls = tlsFlags({ cert: file, key: file });
  const args = ["--listen", "127.0.0.1:0", ...tls, "--workers", "2", "--no-access-log"];
  await using serving = await Serving.start(box, args);
  const { port } = new URL(serving.url);
  // What the kernel had taken for a socket as it stops is reset, and asks once more.
  const flags = ["--silent", "--show-error", "--insecure", "--retry", "3", "--retry-all-errors"];
  let [answered, renewing] = [0, true];
  const asking = (async () => {
    while (renewing || answered === 0) {
      const { stdout, stderr } = await box.exec("curl", [
        ...[...flags, "--retry-delay", "1", `https://127.0.0.1:${port}/healthz`],
      ]);
      assert.match(stdout, /"ok"/, stderr);
      answered++;
    }
  })();
  for (let i = 1; i <= 8; i++) {
    await put(both[i % 2]!, file);
    serving.process.kill("SIGHUP");
    await serving.until(() => count(serving, RENEWED) === i);
  }
  renewing = false;
  await asking;
  assert.doesNotMatch(serving.stderr, /warning/);
});

Deno.test("the end of the certificate is in the metrics and in the status", async () => {
  using box = await initialised();
  const { serving, port, used } = await open(box);
  await using _ = serving;
  const { stdout } = await box.exec("openssl", [
    ...["x509", "-noout", "-enddate", "-in", used.cert],
  ]);
  const end = Date.parse(stdout.replace("notAfter=", ""));
  const ask = async (path: string) =>
    (await box.exec("curl", ["--silent", "--insecure", `https://127.0.0.1:${port}${path}`])).stdout;
  const [, seconds] = /^rekey_tls_certificate_expiry_timestamp_seconds (\S+)$/m
    .exec(await ask("/metrics"))!;
  assert.equal(Number(seconds) * 1000, end);
  const { certificate_expires_at } = JSON.parse(await ask("/status.json"));
  assert.equal(Date.parse(certificate_expires_at), end);
});
