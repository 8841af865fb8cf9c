import assert from "node:assert/strict";
import { PASSWORD } from "../support/http/logging_in.ts";
import { Box } from "../support/process/box.ts";
import { Upstream } from "../support/proxy/proxies.ts";
import { KINDS } from "../support/proxy/proxy_kinds.ts";
import { FORGED, Site } from "../support/proxy/site.ts";
import { query } from "../support/store/sql.ts";
import { suspend } from "../support/process/running.ts";
import { haveUsers } from "../support/store/users.ts";
import { took } from "../support/timing/took.ts";

for (const kind of KINDS) {
  Deno.test(`${kind.name}: the body goes to the application and not to rekey`, async () => {
    await using site = await Site.open(kind);
    const token = await site.box.token();
    for (const method of ["POST", "PUT", "PATCH", "DELETE"]) {
      for (const body of ["é".repeat(500), "x".repeat(100_000)]) {
        const reached = await site.passes(site.get(token, { method, body }));
        assert.deepEqual([reached.method, reached.body], [method, body]);
      }
      await site.refused(site.get(undefined, { method, body: "hello" }), 401);
    }
    const chunked = await site.passes(site.proxy.ask("/", {
      method: "POST",
      headers: [
        ["Authorization", `Bearer ${token}`],
        ["Transfer-Encoding", "chunked"],
        ["Connection", "close\r\n\r\n5\r\nhello\r\n0\r\n"],
      ],
    }));
    assert.equal(chunked.body, "hello");
  });

  Deno.test(`${kind.name}: logins are passed on, with the client's address`, async () => {
    await using site = await Site.open(kind);
    await haveUsers(site.box, ["alice"]);
    const logIn = (password: string, ...more: [string, string][]) =>
      site.proxy.ask("/login", {
        method: "POST",
        headers: [["Content-Type", "application/json"], ...more],
        body: JSON.stringify({ name: "alice", password }),
      });
    const wrong = await logIn("wrong wrong", ["X-Forwarded-For", "192.0.2.66"]);
    assert.equal(wrong.status, 401);
    assert.equal(JSON.parse(wrong.body).code, "bad_credentials");
    assert.deepEqual(throttled(site.box), ["127.0.0.1"]);
    const origin = "http://app.example.com";
    assert.equal((await logIn(PASSWORD, ["Origin", "http://evil.example"])).status, 403);
    const { status, body } = await logIn(PASSWORD, ["Origin", origin]);
    assert.equal(status, 200, body);
    const reached = await site.passes(
      site.get(JSON.parse(body).token, { headers: [["Origin", "http://evil.example"]] }),
    );
    assert.equal(reached.headers["x-auth-subject"], "alice");
    assert.equal(site.upstream.reached.length, 1, "a login is not for the application");
    for (const path of ["/rotate", "/metrics", "/_rekey", "/auth"]) {
      await site.refused(site.proxy.ask(path), 401, 404);
    }
  });

  Deno.test(`${kind.name}: no request gets through while rekey does not answer`, async () => {
    await using site = await Site.open(kind);
    const token = await site.box.token();
    await site.passes(site.get(token));
    const start = await site.stopRekey();
    for (let i = 0; i < 3; i++) await site.refused(site.get(token), kind.down);
    await site.refused(site.get(undefined, { headers: FORGED }), kind.down);
    await start();
    await site.passes(site.get(token));
    // The secret is gone: rekey says 503, which nginx makes 500.
    await site.box.run(["destroy", "--force"]);
    await site.refused(site.get(token), 500, 503);
  });
}

/** How long each of the proxies waits for a rekey that hangs, in milliseconds. */
function waits(): Promise<{ auth: number; login: number }[]> {
  return Promise.all(KINDS.map(async (kind) => {
    await using site = await Site.open(kind);
    const token = await site.box.token();
    await suspend(site.serving.process.pid);
    const [auth, login] = await Promise.all([
      took(() => site.refused(site.get(token), 500, 504)),
      took(() => site.refused(site.proxy.ask("/login", { method: "POST", body: "{}" }), 504)),
    ]);
    site.serving.process.kill("SIGCONT");
    await site.passes(site.get(token));
    return { auth, login };
  }));
}

Deno.test("a rekey that hangs holds no one up for long, behind any of them, and answers when it goes on", async () => {
  let waited = await waits();
  const said = () => JSON.stringify(waited);
  // As long with two sockets as with one, and six times as long for a login.
  const areShort = () => {
    const first = waited[0]!.auth;
    return waited.every(({ auth, login }) => auth < first * 1.6 && login < first * 9);
  };
  // A machine that is busy with something else may stop one of them.
  for (let more = 0; more < 3 && !areShort(); more++) {
    const again = await waits();
    waited = waited.map(({ auth, login }, n) => ({
      auth: Math.min(auth, again[n]!.auth),
      login: Math.min(login, again[n]!.login),
    }));
  }
  assert.ok(areShort(), said());
});

for (const kind of KINDS) {
  Deno.test(`${kind.name}: keeps its connections to the application`, async () => {
    await using site = await Site.open(kind);
    const token = await site.box.token();
    for (let left = 12; left > 0; left--) await site.passes(site.get(token));
    // One for each of nginx's two workers.
    assert.ok(site.upstream.ports.size <= 2, `${site.upstream.ports.size} connections`);
  });
}

function throttled(box: Box): unknown[] {
  const rows = query(box, "SELECT name FROM rekey_throttle WHERE kind = 'address'");
  return rows.map(({ name }) => name);
}

for (const kind of KINDS.filter(({ sockets }) => !sockets)) {
  Deno.test(`${kind.name}: asks with GET and no body, and only once`, async () => {
    using box = new Box();
    await using rekey = new Upstream();
    await using upstream = new Upstream();
    await using proxy = await kind.start(box, {
      rekey: rekey.address,
      upstream: upstream.address,
    });
    for (const method of ["GET", "HEAD", "POST", "DELETE"]) {
      const headers = [["Authorization", "Bearer a"]] as [string, string][];
      await proxy.ask("/orders", {
        method,
        headers,
        ...method === "HEAD" ? {} : { body: "hello" },
      });
      const asked = rekey.reached.pop()!;
      assert.deepEqual([asked.method, asked.path, asked.body], ["GET", "/auth", ""]);
      assert.equal(asked.headers["content-length"] ?? "0", "0");
      assert.equal(asked.headers["transfer-encoding"], undefined);
      assert.equal(asked.headers["authorization"], "Bearer a");
      assert.equal(rekey.reached.length, 0);
    }
    assert.deepEqual(upstream.reached.map(({ method }) => method), [
      "GET",
      "HEAD",
      "POST",
      "DELETE",
    ]);
  });
}
