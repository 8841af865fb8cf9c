import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHmac, randomBytes } from "node:crypto";
import type { Reached } from "../support/proxy/proxies.ts";
import { COOKIE_KINDS, KINDS } from "../support/proxy/proxy_kinds.ts";
import { FORGED, Site } from "../support/proxy/site.ts";

const claimsOf = ({ headers }: Reached) =>
  JSON.parse(Buffer.from(headers["x-auth-claims"]!, "base64url").toString());

for (const kind of KINDS) {
  // Each step has tokens of its own: a site takes longer to start than to be asked.
  Deno.test(`${kind.name}: what tokens come to`, async (t) => {
    await using site = await Site.open(kind);

    await t.step("a valid token gets through, and says whose it is", async () => {
      const { box } = site;
      const reached = await site.passes(site.get(await box.token("alice", "--scope", "read")));
      assert.deepEqual([reached.method, reached.path], ["GET", "/orders?page=2"]);
      assert.equal(reached.headers["x-auth-subject"], "alice");
      const { sub, scope } = claimsOf(reached);
      assert.deepEqual([sub, scope], ["alice", "read"]);

      const forged = await site.passes(site.get(await box.token("bob"), { headers: FORGED }));
      assert.equal(forged.headers["x-auth-subject"], "bob");
      assert.equal(claimsOf(forged).sub, "bob");
      const names = Object.keys(forged.headers).filter((name) => /^x.auth.(sub|cl)/.test(name));
      assert.deepEqual(names.sort(), ["x-auth-claims", "x-auth-subject"]);

      const odd = await site.passes(site.get(await box.token("Zoë 100 %, \u{1F600}")));
      assert.match(odd.headers["x-auth-subject"]!, /^[\x21-\x7e]+$/);
      assert.equal(decodeURIComponent(odd.headers["x-auth-subject"]!), "Zoë 100 %, \u{1F600}");
      assert.equal(claimsOf(odd).sub, "Zoë 100 %, \u{1F600}");
    });

    await t.step("an invalid token is answered with 401 and a challenge", async () => {
      const token = await site.box.token();
      const [header, payload, signature] = token.split(".") as [string, string, string];
      const bare = await site.refused(site.get(), 401);
      assert.equal(bare.headers.get("www-authenticate"), 'Bearer realm="rekey"');
      const forged = await site.refused(site.get(undefined, { headers: FORGED }), 401);
      assert.equal(forged.headers.get("www-authenticate"), 'Bearer realm="rekey"');

      const first = signature.startsWith("A") ? "B" : "A";
      const none = Buffer.from('{"alg":"none"}').toString("base64url");
      const tokens = {
        malformed: "abc",
        "of three empty parts": "..",
        "badly signed": `${header}.${payload}.${first}${signature.slice(1)}`,
        "not signed": `${none}.${payload}.`,
        "of 10 KB": "a".repeat(10_240),
        "of 10 KB with a good beginning": token + "A".repeat(10_240 - token.length),
        "of 17 KB": "a".repeat(17_408),
      };
      for (const [name, text] of Object.entries(tokens)) {
        const { headers } = await site.refused(site.get(text), 401);
        assert.match(headers.get("www-authenticate")!, /^Bearer .*error="invalid_token"/, name);
      }
      for (const scheme of ["Basic YTpi", "Bearer", `Bearer ${token} ${token}`, token]) {
        await site.refused(site.get(undefined, { headers: [["Authorization", scheme]] }), 401);
      }
      const twice: [string, string][] = [["Authorization", `Bearer ${token}`]];
      // nginx refuses it itself from 1.23 on, with 400.
      await site.refused(site.get(token, { headers: twice }), 401, 400);
      await site.refused(site.get(token, { headers: [["Authorization", "Bearer x"]] }), 401, 400);
      await site.refused(site.get("x", { headers: twice }), 401, 400);
      await site.passes(site.get(token));
    });

    await t.step("a rotation counts from the next request on", async () => {
      for (let version = 1; version <= 3; version++) {
        const token = await site.box.token();
        for (let i = 0; i < 3; i++) await site.passes(site.get(token));
        assert.equal((await site.box.run(["rotate", "--force"])).code, 0);
        const { headers } = await site.refused(site.get(token), 401);
        assert.match(headers.get("www-authenticate")!, /rotated away/);
      }
      await site.passes(site.get(await site.box.token()));
    });

    await t.step("large claims get through", async () => {
      // The latter makes a token near the longest that is accepted.
      for (const length of [3_000, 11_000]) {
        const scope = "s".repeat(length);
        const reached = await site.passes(site.get(await site.box.token("a", "--scope", scope)));
        assert.equal(claimsOf(reached).scope, scope);
      }
    });
  });

  Deno.test(`${kind.name}: a request without a valid token stays without one`, async () => {
    // Another program's, with neither a kid nor a subject.
    const secret = randomBytes(64).toString("base64");
    await using site = await Site.open(kind, async (box) => {
      const { code, stderr } = await box.run(["import"], { stdin: secret });
      assert.equal(code, 0, stderr);
    });
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const exp = Math.floor(Date.now() / 1000) + 600;
    const signed = `${part({ alg: "HS512" })}.${part({ exp })}`;
    const signature = createHmac("sha512", secret).update(signed).digest("base64url");
    const reached = await site.passes(site.get(`${signed}.${signature}`, { headers: FORGED }));
    assert.equal(reached.headers["x-auth-subject"] ?? "", "");
    assert.deepEqual(claimsOf(reached), { exp });
  });
}

for (const kind of COOKIE_KINDS) {
  Deno.test(`${kind.name}: a token in a cookie`, async () => {
    await using site = await Site.open(kind);
    const token = await site.box.token();
    const cookie = (text: string) => ({ headers: [["Cookie", text]] as [string, string][] });
    const reached = await site.passes(site.get(undefined, cookie(`a=b; token=${token}; c=d`)));
    assert.equal(reached.headers["x-auth-subject"], "alice");
    for (const text of ["a=b", "token=", "token=x", `token=${token}x`, `other=${token}`]) {
      await site.refused(site.get(undefined, cookie(text)), 401);
    }
    await site.refused(site.get(token), 401);
    await site.refused(site.get(token, cookie("token=x")), 401);
    await site.box.run(["rotate", "--force"]);
    await site.refused(site.get(undefined, cookie(`token=${token}`)), 401);
  });
}
