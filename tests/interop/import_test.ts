import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import assert from "node:assert/strict";
import { Box } from "../support/process/box.ts";
import { sample } from "../support/process/sample.ts";
import { now } from "../support/attacks/foreign_tokens.ts";
import { type Key, type Peer, PEERS, Workshop } from "./peers.ts";

/** Headers and claims as applications give them to their library. */
const SHAPES: [what: string, claims: (exp: number) => object, header: object][] = [
  ["an own kid", (exp) => ({ sub: "alice", exp }), { kid: "2024-key" }],
  ["an empty kid", (exp) => ({ sub: "alice", exp }), { kid: "" }],
  ["a number as sub", (exp) => ({ sub: 42, exp }), {}],
  ["no exp", () => ({ sub: "alice" }), {}],
  ["an nbf that is ahead", (exp) => ({ sub: "alice", exp, nbf: now() + 300 }), {}],
  ["several audiences", (exp) => ({ sub: "alice", exp, aud: ["a", "b"] }), { kid: "own" }],
];

const POLICY = ["--leeway", "10m", "--allow-no-exp"];

const IMPORTED = PEERS.filter(({ name }) => ["PyJWT", "jsonwebtoken"].includes(name));
for (const [at, peer] of IMPORTED.entries()) {
  for (const alg of sample(["HS256", "HS512"], 2, at)) {
    const name = `${peer.name}'s tokens stay valid after an import: ${alg}`;
    Deno.test(name, async (t) => {
      using workshop = new Workshop();
      assert.ok(await workshop.has(peer), `not installed: ${peer.needs}`);
      for (const [at, form] of peer.forms.entries()) {
        const key: Key = { key: randomBytes(64).toString("base64"), form };
        for (const [what, claims, header] of sample(SHAPES, 2, at)) {
          await t.step(
            `${what}, ${form}`,
            () => staysValid(workshop, peer, alg, key, claims, header),
          );
        }
      }
    });
  }
}

async function staysValid(
  workshop: Workshop,
  peer: Peer,
  alg: string,
  key: Key,
  claims: (exp: number) => object,
  header: object,
): Promise<void> {
  const token = await workshop.sign(peer, alg, key, claims(now() + 600), header);
  const [written] = token.split(".");
  const found = JSON.parse(Buffer.from(written!, "base64url").toString());
  for (const [name, value] of Object.entries(header)) assert.equal(found[name], value);
  using box = new Box();
  const stdin = key.key;
  const args = ["import", "--check-token", token, ...POLICY, "--json"];
  const { code, stdout, stderr } = await box.run(args, { stdin });
  assert.equal(code, 0, stderr);
  const said = JSON.parse(stdout);
  assert.deepEqual([said.alg, said.key_form], [alg, key.form]);
  assert.equal((await box.json("verify", token)).version, 1);
  await box.run(["rotate", "--force", "--grace", "1h", "--alg", "HS384"]);
  assert.equal((await box.json("verify", token)).version, 1);
  await box.run(["revoke"]);
  assert.equal((await box.json("verify", token)).valid, false);
}
