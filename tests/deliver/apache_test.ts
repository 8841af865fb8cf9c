import assert from "node:assert/strict";
import { join } from "node:path";
import { Box } from "../support/process/box.ts";
import { Upstream } from "../support/proxy/proxies.ts";
import { meetAttacks, statusOf } from "../support/consumers/attack_table.ts";
import { keyWithDash, KnownKey, writeByHand } from "../support/consumers/by_hand.ts";
import { guardTests } from "../support/consumers/guard_suite.ts";
import { ApacheGuard } from "../support/consumers/apache.ts";

Deno.test("Apache: no token of the attack table that another key signed is accepted, nor one that is over", async () => {
  using box = new Box();
  await using app = new Upstream();
  const [key, keys] = [new KnownKey(), join(box.home, "keys.conf")];
  await writeByHand("apache", keys, [key]);
  await using guard = await ApacheGuard.start(box, { keys, app: app.address });
  const { accepted } = await meetAttacks(guard.port, key);
  for (const code of ["bad_signature", "unknown_kid", "retired_kid", "expired"] as const) {
    assert.deepEqual(accepted.get(code), undefined, code);
  }
  // The right key with its other hashes.
  assert.deepEqual(accepted.get("alg_not_allowed"), [
    "an HS256 token, of the right key",
    "an HS384 token, of the right key",
  ]);
  // docs/presets/apache.md says that it does not look at nbf.
  assert.deepEqual(accepted.get("not_yet_valid"), ["nbf in an hour", "nbf 1e308"]);
});

Deno.test("Apache: every algorithm, a kid with a dash, a text with any characters; exp is required", async () => {
  using box = new Box();
  await using app = new Upstream();
  const keys = join(box.home, "keys.conf");
  const text = " a secret; of \\ an \"application\" # with 'signs', ${HOME}, spaces and Zoë ";
  const all = [
    ...(["HS256", "HS384", "HS512"] as const).map((alg) => new KnownKey({ alg })),
    ...[keyWithDash(), new KnownKey({ text })],
  ];
  await writeByHand("apache", keys, all);
  await using guard = await ApacheGuard.start(box, { keys, app: app.address });
  for (const key of all) {
    assert.equal(await statusOf(guard.port, key.token()), 200);
    assert.equal(await statusOf(guard.port, key.token({}, { kid: undefined })), 200);
    assert.equal(await statusOf(guard.port, key.token({ exp: 1 })), 401);
    assert.equal(await statusOf(guard.port, key.token({ exp: -1 })), 403);
    assert.equal(await statusOf(guard.port, key.token({ exp: undefined })), 403);
  }
  assert.equal(await statusOf(guard.port, new KnownKey().token()), 401);
});

Deno.test("Apache: the application gets the claims, and not those that a client names", async () => {
  using box = new Box();
  await using app = new Upstream();
  const [key, keys] = [new KnownKey(), join(box.home, "keys.conf")];
  await writeByHand("apache", keys, [key]);
  await using guard = await ApacheGuard.start(box, { keys, app: app.address });
  const forged = { "OIDC_CLAIM_sub": "root", "OIDC-CLAIM-sub": "root", "OIDC_CLAIM_exp": "1" };
  const answer = await fetch(`http://127.0.0.1:${guard.port}/`, {
    headers: { ...forged, authorization: `Bearer ${key.token()}` },
  });
  const { headers } = await answer.json();
  assert.equal(headers["oidc_claim_sub"], "alice");
  assert.equal(headers["oidc-claim-sub"], undefined);
});

Deno.test("Apache: an audience and an issuer are required where the configuration says so", async () => {
  using box = new Box();
  await using app = new Upstream();
  const [key, keys] = [new KnownKey(), join(box.home, "keys.conf")];
  await writeByHand("apache", keys, [key]);
  const required = [
    ...['<Location "/">', "<RequireAll>", "Require claim aud:api", "Require claim iss:me"],
    ...["</RequireAll>", "</Location>"],
  ];
  await using guard = await ApacheGuard.start(box, { keys, app: app.address }, required);
  const ask = (claims: object) => statusOf(guard.port, key.token(claims));
  assert.equal(await ask({ aud: "api", iss: "me" }), 200);
  assert.equal(await ask({ aud: ["other", "api"], iss: "me" }), 200);
  for (const aud of ["API", "apis", "", undefined, ["other"]]) {
    assert.notEqual(await ask({ aud, iss: "me" }), 200, JSON.stringify(aud));
  }
  for (const iss of ["you", undefined]) assert.notEqual(await ask({ aud: "api", iss }), 200);
});

Deno.test("Apache: a configuration that is wrong fails the delivery, and Apache goes on", async () => {
  using box = new Box();
  await using app = new Upstream();
  const keys = join(box.home, "keys");
  await Deno.mkdir(keys);
  await Deno.writeTextFile(join(keys, "keys.conf"), "");
  await using guard = await ApacheGuard.start(box, { keys, app: app.address });
  const url = `http://127.0.0.1:${guard.port}/`;
  const add = ["deliver", "add", "web", "--preset", "apache", "--path", keys, "--force"];
  const flags = ["--set", `url=${url}`, "--reload", ApacheGuard.reload(box)];
  assert.equal((await box.run(["init"])).code, 0);
  const added = await box.run([...add, ...flags]);
  assert.equal(added.code, 0, added.stderr);
  const old = await box.token();
  await Deno.writeTextFile(guard.file, "\nNoSuchDirective on\n", { append: true });
  const graceful = await box.run(["rotate", "--force", "--grace", "1h"]);
  assert.match(graceful.stderr, /Not rotated: web: its reload /);
  assert.equal(await statusOf(guard.port, old), 200);
  const text = await Deno.readTextFile(guard.file);
  await Deno.writeTextFile(guard.file, text.replace("NoSuchDirective on", ""));
  const rotated = await box.run(["rotate", "--force"]);
  assert.equal(rotated.code, 0, rotated.stderr);
  assert.deepEqual(
    [await statusOf(guard.port, old), await statusOf(guard.port, await box.token())],
    [401, 200],
  );
});

guardTests({
  name: "Apache",
  preset: "apache",
  file: "keys",
  inFolder: ["keys.conf"],
  pairs: ["RS256", "PS256"],
  finishesBegun: true,
  flags: (box) => ["--reload", ApacheGuard.reload(box)],
  start: (box, place) => ApacheGuard.start(box, place),
});
