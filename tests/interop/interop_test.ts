import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import { sample } from "../support/process/sample.ts";
import { KeyringBox } from "../support/keyring/keyring_box.ts";
import { type Algorithm, ALGORITHMS, App } from "./apps.ts";
import { type Form, type Key, type Peer, PEERS, Workshop } from "./peers.ts";

/** What one test is about. */
interface Row {
  readonly peer: Peer;
  readonly algorithm: Algorithm;
  readonly form: Form;
}

let box: KeyringBox;
let workshop: Workshop;

Deno.test.beforeAll(async () => {
  workshop = new Workshop();
  box = await KeyringBox.start();
  for (const algorithm of ALGORITHMS) {
    await new App(box, algorithm, "text").init();
    await new App(box, algorithm, "raw").init();
  }
});

Deno.test.afterAll(async () => {
  workshop[Symbol.dispose]();
  await box[Symbol.asyncDispose]();
});

const missing = await missingPeers();

for (const [at, peer] of PEERS.entries()) {
  for (const form of peer.forms) {
    for (const algorithm of sample(ALGORITHMS, 3, at)) {
      test("signs, rekey verifies", { peer, algorithm, form }, peerSigns);
      test("verifies what rekey issues", { peer, algorithm, form }, peerVerifies);
    }
  }
  for (const form of sample(peer.forms, peer.forms.length, at)) {
    test("and rekey refuse the secret before", { peer, algorithm: "HS512", form }, afterRotation);
  }
}

async function missingPeers(): Promise<Set<Peer>> {
  using probes = new Workshop();
  const found = await Promise.all(PEERS.map((peer) => probes.has(peer)));
  return new Set(PEERS.filter((_, index) => !found[index]));
}

function test(what: string, row: Row, run: (row: Row) => Promise<void>): void {
  const { peer, algorithm, form } = row;
  const ignore = missing.has(peer);
  const why = ignore ? ` (not installed: ${peer.needs})` : "";
  Deno.test({
    name: `${peer.name} ${what}: ${algorithm}, ${form}${why}`,
    ignore,
    fn: () => run(row),
  });
}

async function peerSigns({ peer, algorithm, form }: Row): Promise<void> {
  // Made without --alg, the app is one of HS512: only other algorithms have to be named.
  const app = new App(box, "HS512", form);
  const alg = algorithm === "HS512" ? [] : ["--alg", algorithm];
  const claims = newClaims();
  const token = await workshop.sign(peer, algorithm, await app.key(), claims);

  const [accepted, other, ...forged] = await Promise.all([
    app.json("verify", token, ...alg),
    app.json("verify", token, "--alg", otherThan(algorithm)),
    ...forgeries(token).map((forgery) => app.json("verify", forgery, ...alg)),
  ]);
  assert.deepEqual([accepted.valid, accepted.claims], [true, claims]);
  assert.equal(other.code, "alg_not_allowed");
  assert.deepEqual(forged.map(({ code }) => code), ["bad_signature", "bad_signature"]);
}

async function peerVerifies({ peer, algorithm, form }: Row): Promise<void> {
  const app = new App(box, algorithm, form);
  const [key, { token, claims }] = await Promise.all([app.key(), app.issue()]);

  const [accepted, other, ...forged] = await Promise.all([
    workshop.verify(peer, algorithm, key, token),
    workshop.verify(peer, otherThan(algorithm), key, token),
    ...forgeries(token).map((forgery) => workshop.verify(peer, algorithm, key, forgery)),
  ]);
  assert.deepEqual(accepted, claims);
  assert.deepEqual([other, ...forged], [undefined, undefined, undefined]);
}

async function afterRotation({ peer, algorithm, form }: Row): Promise<void> {
  const app = new App(box, algorithm, form);
  const before = await exchange(app, peer);
  await app.json("rotate", "--force", "--reason", "interop");
  const after = await exchange(app, peer);

  assert.notEqual(after.key.key, before.key.key);
  assert.equal((await app.json("verify", before.theirs)).code, "bad_signature");
  assert.equal((await app.json("verify", before.ours)).code, "retired_kid");
  assert.equal(await workshop.verify(peer, algorithm, after.key, before.theirs), undefined);
  assert.equal(await workshop.verify(peer, algorithm, after.key, before.ours), undefined);
}

/** A token each way, accepted by the other side. */
async function exchange(app: App, peer: Peer): Promise<{ key: Key; theirs: string; ours: string }> {
  const key = await app.key();
  const theirs = await workshop.sign(peer, app.algorithm, key, newClaims());
  assert.equal((await app.json("verify", theirs)).valid, true);
  const { token, claims } = await app.issue();
  assert.deepEqual(await workshop.verify(peer, app.algorithm, key, token), claims);
  return { key, theirs, ours: token };
}

function newClaims() {
  const iat = Math.floor(Date.now() / 1000);
  return { sub: "Zoë ✓", roles: ["admin", { site: "東京" }], iat, nbf: iat, exp: iat + 600 };
}

/** The token with other claims, and with another signature; both are well formed. */
function forgeries(token: string): string[] {
  const [header, payload, signature] = token.split(".") as [string, string, string];
  const claims = JSON.parse(Buffer.from(payload, "base64url").toString());
  const other = Buffer.from(JSON.stringify({ ...claims, sub: "root" })).toString("base64url");
  const first = signature.startsWith("A") ? "B" : "A";
  return [
    [header, other, signature].join("."),
    [header, payload, first + signature.slice(1)].join("."),
  ];
}

function otherThan(algorithm: Algorithm): Algorithm {
  return algorithm === "HS256" ? "HS384" : "HS256";
}
