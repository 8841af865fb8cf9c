import assert from "node:assert/strict";
import { join } from "node:path";
import { isHmac } from "../../src/core/algorithms.ts";
import { Box } from "../support/process/box.ts";
import { Upstream } from "../support/proxy/proxies.ts";
import { meetAttacks, statusOf, subjectAt } from "../support/consumers/attack_table.ts";
import { KnownKey, writeByHand } from "../support/consumers/by_hand.ts";
import { guardTests } from "../support/consumers/guard_suite.ts";
import { NginxGuard } from "../support/consumers/nginx.ts";
import { until } from "../support/timing/pause.ts";

const NEVER = ["bad_signature", "unknown_kid", "retired_kid", "alg_not_allowed"] as const;
const IN_TIME = ["expired", "not_yet_valid"] as const;

const KINDS = [
  {
    preset: "nginx",
    name: "nginx (njs)",
    changes: { '$rekey_aud "";': "$rekey_aud api;", '$rekey_iss "";': "$rekey_iss me;" },
    tooDeep: ["32 objects in each other"],
  },
  {
    preset: "nginx-lua",
    name: "nginx (Lua)",
    changes: { '.json") }': '.json", { aud = "api", iss = "me" }) }' },
    tooDeep: [],
  },
] as const;

// What Debian's njs has, and Lua by libcrypto.
const ALGORITHMS = [
  ...["HS256", "HS384", "HS512", "ES256", "ES384", "ES512"] as const,
  ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"] as const,
];

for (const { preset, name, changes, tooDeep } of KINDS) {
  Deno.test(`${name}: no token of the attack table that another key signed is accepted, nor one that is over`, async () => {
    using box = new Box();
    await using app = new Upstream();
    const [key, keys] = [new KnownKey(), join(box.home, "keys.json")];
    await writeByHand("nginx", keys, [key]);
    await using guard = await NginxGuard.start(box, { keys, app: app.address, preset });
    const { accepted, refused } = await meetAttacks(guard.port, key);
    for (const code of [...NEVER, ...IN_TIME]) {
      assert.deepEqual(accepted.get(code), undefined, code);
    }
    // Its parser of JSON gives up before rekey's does.
    assert.deepEqual(refused, tooDeep);
  });

  Deno.test(`${name}: each algorithm is accepted with its own key only, a key that is over with none`, async () => {
    using box = new Box();
    await using app = new Upstream();
    const keys = join(box.home, "keys.json");
    const all = ALGORITHMS.map((alg) => new KnownKey({ alg }));
    const over = new KnownKey({ expiresAt: Date.now() - 1_000 });
    const ending = new KnownKey({ expiresAt: Date.now() + 3_600_000 });
    await writeByHand("nginx", keys, [...all, over, ending]);
    await using guard = await NginxGuard.start(box, { keys, app: app.address, preset });
    for (const key of [...all, ending]) {
      assert.equal(await statusOf(guard.port, key.token()), 200);
      assert.equal(await statusOf(guard.port, key.token({}, { kid: undefined })), 200);
    }
    assert.equal(await statusOf(guard.port, over.token()), 401);
    assert.equal(await statusOf(guard.port, over.token({}, { kid: undefined })), 401);
    for (const key of all) {
      const others = all.filter((one) => one !== key);
      const crossed = others.map(({ kid }) => statusOf(guard.port, key.token({}, { kid })));
      assert.deepEqual(await Promise.all(crossed), others.map(() => 401), key.delivered.alg);
      const signed = key.token();
      const [head, body, signature] = signed.split(".") as [string, string, string];
      const broken = [
        [head, body, signature.slice(0, -4)],
        [head, body, `${signature}AAAA`],
        [head, body, signature.replace(/[\w-]/g, "A")],
        [head, key.token({ admin: true }).split(".")[1]!, signature],
      ];
      for (const parts of broken) assert.equal(await statusOf(guard.port, parts.join(".")), 401);
      if (isHmac(key.delivered.alg)) continue;
      assert.equal(await statusOf(guard.port, key.confused()), 401);
    }
  });

  Deno.test(`${name}: audience and issuer are required where the configuration says so`, async () => {
    using box = new Box();
    await using app = new Upstream();
    const [key, keys] = [new KnownKey(), join(box.home, "keys.json")];
    await writeByHand("nginx", keys, [key]);
    await using guard = await NginxGuard.start(box, { keys, app: app.address, preset, changes });
    const ask = (claims: object) => statusOf(guard.port, key.token(claims));
    assert.equal(await ask({ aud: "api", iss: "me" }), 200);
    assert.equal(await ask({ aud: ["other", "api"], iss: "me" }), 200);
    for (const aud of ["API", "apis", ["api2"], undefined, { api: 1 }]) {
      assert.equal(await ask({ aud, iss: "me" }), 401, JSON.stringify(aud));
    }
    for (const iss of ["you", undefined, ["me"]]) assert.equal(await ask({ aud: "api", iss }), 401);
  });

  Deno.test(`${name}: the application gets the subject and the claims, and not those that a client names`, async () => {
    using box = new Box();
    await using app = new Upstream();
    const [key, keys] = [new KnownKey(), join(box.home, "keys.json")];
    await writeByHand("nginx", keys, [key]);
    await using guard = await NginxGuard.start(box, { keys, app: app.address, preset });
    const ask = (token: string) =>
      fetch(`http://127.0.0.1:${guard.port}/orders?page=2`, {
        method: "POST",
        body: "x".repeat(100_000),
        headers: {
          authorization: `Bearer ${token}`,
          "x-auth-subject": "root",
          "x-auth-claims": "e",
        },
      });
    const token = key.token({ sub: "Zoë\r\nX-Auth-Subject: root" });
    const { headers, path, body } = await (await ask(token)).json();
    assert.equal(headers["x-auth-subject"], "Zo%C3%AB%0D%0AX-Auth-Subject:%20root");
    assert.equal(headers["x-auth-claims"], token.split(".")[1]);
    assert.deepEqual([path, body.length], ["/orders?page=2", 100_000]);
    const refused = await ask(`${token}x`);
    assert.equal(refused.status, 401);
    assert.equal(refused.headers.get("www-authenticate"), 'Bearer error="invalid_token"');
    await refused.body?.cancel();
  });

  Deno.test(`${name}: users who are numbers are told apart to the last digit, or refused`, async () => {
    using box = new Box();
    await using app = new Upstream();
    const [key, keys] = [new KnownKey(), join(box.home, "keys.json")];
    await writeByHand("nginx", keys, [key]);
    await using guard = await NginxGuard.start(box, { keys, app: app.address, preset });
    const exact = [0, 1234567, 1.5, 0.1, 100_000_000_000_000, 123456789012341, 2 ** 53 - 1];
    for (const sub of exact) {
      assert.equal(await subjectAt(guard.port, key.token({ sub })), String(sub));
    }
    for (const sub of [2 ** 53, -(2 ** 53), 1e21, true, null, [1]]) {
      assert.equal(await statusOf(guard.port, key.token({ sub })), 401, JSON.stringify(sub));
    }
  });

  Deno.test(`${name}: a file of keys that is missing or damaged lets no one in, and its bytes stay out of the log`, async () => {
    using box = new Box();
    await using app = new Upstream();
    const [key, keys] = [new KnownKey(), join(box.home, "keys.json")];
    await writeByHand("nginx", keys, [key]);
    await using guard = await NginxGuard.start(box, { keys, app: app.address, preset });
    const ask = () => statusOf(guard.port, key.token());
    assert.equal(await ask(), 200);
    const whole = await Deno.readTextFile(keys);
    for (const damaged of ["", whole.slice(0, -10), whole.replace(":", " "), "null", "[]"]) {
      await Deno.writeTextFile(keys, damaged);
      assert.ok([401, 500].includes(await ask()), damaged.slice(0, 20));
    }
    await Deno.remove(keys);
    assert.equal(await ask(), 500);
    await writeByHand("nginx", keys, [key]);
    assert.equal(await ask(), 200);
    await until(() => guard.daemon.stderr.includes("rekey: cannot read the keys"));
    assert.ok(!guard.daemon.stderr.includes(key.text.slice(0, 10)));
  });

  guardTests({
    name,
    preset,
    file: "keys.json",
    pairs: ["ES256", "RS256", "PS256"],
    // Other users' programs than those of its workers are none of the tests'.
    flags: () => Deno.uid() === 0 ? [] : ["--group", String(Deno.gid())],
    ...preset === "nginx-lua" ? { alike: true } : {},
    start: (box, place) => NginxGuard.start(box, { ...place, preset }),
  });
}
