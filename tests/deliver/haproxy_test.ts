import assert from "node:assert/strict";
import { join } from "node:path";
import { Box } from "../support/process/box.ts";
import { Upstream } from "../support/proxy/proxies.ts";
import { meetAttacks, statusOf, subjectAt } from "../support/consumers/attack_table.ts";
import { keyWithDash, KnownKey, writeByHand } from "../support/consumers/by_hand.ts";
import { guardTests } from "../support/consumers/guard_suite.ts";
import { HaproxyGuard } from "../support/consumers/haproxy.ts";
import { page } from "../support/consumers/page.ts";

const NEVER = ["bad_signature", "unknown_kid", "retired_kid", "alg_not_allowed"] as const;
const IN_TIME = ["expired", "not_yet_valid", "claim_mismatch"] as const;

Deno.test("HAProxy: no token of the attack table that another key signed is accepted, nor one that is over", async () => {
  using box = new Box();
  await using app = new Upstream();
  const [key, map] = [new KnownKey(), join(box.home, "keys.map")];
  await writeByHand("haproxy", map, [key]);
  await using guard = await HaproxyGuard.start(box, { keys: map, app: app.address });
  const { accepted } = await meetAttacks(guard.port, key);
  for (const code of [...NEVER, ...IN_TIME]) assert.deepEqual(accepted.get(code), undefined, code);
  // It looks the name up as far as the NUL; only who has the key can sign that.
  assert.deepEqual(accepted.get("malformed") ?? [], ["kid with a NUL"]);
});

Deno.test("HAProxy: every algorithm, a kid with a dash, and a text with any characters as the key", async () => {
  using box = new Box();
  await using app = new Upstream();
  const map = join(box.home, "keys.map");
  const text = " a secret; of \\ an \"application\" # with 'signs', spaces and Zoë at both ends ";
  const all = [
    ...(["HS256", "HS384", "HS512"] as const).map((alg) => new KnownKey({ alg })),
    ...[
      keyWithDash(),
      new KnownKey({ text }),
      new KnownKey({ alg: "HS256", text: "x".repeat(32) }),
    ],
  ];
  await writeByHand("haproxy", map, all);
  await using guard = await HaproxyGuard.start(box, { keys: map, app: app.address });
  for (const key of all) {
    assert.equal(await statusOf(guard.port, key.token()), 200, key.delivered.alg);
    const now = Math.floor(Date.now() / 1_000);
    assert.equal(await statusOf(guard.port, key.token({ exp: now - 1 })), 401);
    assert.equal(await statusOf(guard.port, key.token({ exp: -1 })), 401);
    assert.equal(await statusOf(guard.port, key.token({ exp: undefined })), 401);
    assert.equal(await statusOf(guard.port, key.token({ nbf: now + 60 })), 401);
    assert.equal(await statusOf(guard.port, key.token({ nbf: now - 60 })), 200);
  }
});

Deno.test("HAProxy: the application gets the subject, and not the one that a client names", async () => {
  using box = new Box();
  await using app = new Upstream();
  const [key, map] = [new KnownKey(), join(box.home, "keys.map")];
  await writeByHand("haproxy", map, [key]);
  await using guard = await HaproxyGuard.start(box, { keys: map, app: app.address });
  const forged = { "x-auth-subject": "root", "X_Auth_Subject": "root", "x-auth-claims": "e30" };
  const ask = (token: string) =>
    fetch(`http://127.0.0.1:${guard.port}/`, {
      headers: { ...forged, authorization: `Bearer ${token}` },
    });
  const { headers } = await (await ask(key.token({ sub: "a\r\nX-Auth-Claims: b c" }))).json();
  const auth = Object.entries(headers).filter(([name]) => /^x[-_]auth/.test(name));
  assert.equal(auth.length, 1, JSON.stringify(auth));
  assert.match(String(auth[0]![1]), /^a.*X-Auth-Claims%3A%20b%20c$/);
  for (const sub of [0, 1234567, 123456789012341, 2 ** 53 - 1]) {
    assert.equal(await subjectAt(guard.port, key.token({ sub })), String(sub));
  }
  assert.ok([undefined, ""].includes(await subjectAt(guard.port, key.token({ sub: 2 ** 53 }))));
  const refused = await ask("x");
  assert.equal(refused.status, 401);
  assert.equal(refused.headers.get("www-authenticate"), 'Bearer error="invalid_token"');
  await refused.body?.cancel();
});

Deno.test("HAProxy: an audience is required where the configuration says so", async () => {
  using box = new Box();
  await using app = new Upstream();
  const [key, map] = [new KnownKey(), join(box.home, "keys.map")];
  await writeByHand("haproxy", map, [key]);
  const [, line] = /`(acl for_us [^`]*)`/.exec(page("haproxy"))!;
  const changes = {
    "acl signed": `${line}\n    acl signed`,
    "unless signed": "unless for_us signed",
  };
  await using guard = await HaproxyGuard.start(box, { keys: map, app: app.address }, changes);
  const ask = (claims: object) => statusOf(guard.port, key.token(claims));
  assert.equal(await ask({ aud: "api" }), 200);
  for (const aud of ["API", "apis", "", undefined, ["other"]]) {
    assert.equal(await ask({ aud }), 401, JSON.stringify(aud));
  }
});

guardTests({
  name: "HAProxy",
  preset: "haproxy",
  file: "the keys.map",
  flags: (box) => {
    const map = join(box.home, "delivered", "the\\ keys.map");
    return ["--set", `socket=${HaproxyGuard.socketIn(box)}`, "--set", `map=${map}`];
  },
  start: (box, place) => HaproxyGuard.start(box, place),
  // What is only in memory would be lost by a restart.
  check: async (guard, { keys }) => {
    assert.equal(await (guard as HaproxyGuard).memory(), await Deno.readTextFile(keys));
  },
});
