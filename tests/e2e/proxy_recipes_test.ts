import assert from "node:assert/strict";
import { join } from "node:path";
import { until } from "../support/timing/pause.ts";
import {
  KINDS,
  PREFLIGHT_KINDS,
  QUERY_KINDS,
  SCOPE_KINDS,
  UPLOAD_KINDS,
} from "../support/proxy/proxy_kinds.ts";
import { FORGED, Site } from "../support/proxy/site.ts";
import { openSocket } from "../support/http/websocket.ts";

type Headers = [string, string][];

for (const kind of UPLOAD_KINDS) {
  Deno.test(`${kind.name}: uploads of some megabytes get through, in chunks too`, async () => {
    await using site = await Site.open(kind);
    const [token, file] = [await site.box.token(), join(site.box.home, "upload")];
    const bytes = 5_000_000;
    await Deno.writeFile(file, new Uint8Array(bytes).fill(97));
    const upload = async (bearer: string, ...more: string[]) => {
      const { stdout, stderr } = await site.box.exec("curl", [
        ...["--silent", "--show-error", "--output", "/dev/null", "--write-out", "%{http_code}"],
        ...["--header", `Authorization: Bearer ${bearer}`, "--header", "Host: app.example.com"],
        ...[...more, "--data-binary", `@${file}`, `http://127.0.0.1:${site.proxy.port}/upload`],
      ]);
      return [Number(stdout), stderr, site.proxy.stderr].slice(0, 1)[0];
    };
    for (const method of ["POST", "PUT"]) {
      for (const more of [[], ["--header", "Transfer-Encoding: chunked"]]) {
        assert.equal(await upload(token, "--request", method, ...more), 200, site.proxy.stderr);
        const reached = site.upstream.reached.pop()!;
        assert.deepEqual([reached.method, reached.body.length], [method, bytes]);
        assert.equal(await upload("x", "--request", method, ...more), 401, site.proxy.stderr);
        assert.equal(site.upstream.reached.length, 0);
      }
    }
    assert.doesNotMatch(site.serving.stdout, /"status":(4(?!01)|5)/);
  });
}

for (const kind of PREFLIGHT_KINDS) {
  Deno.test(`${kind.name}: a preflight reaches the application as no one's, and nothing else does`, async () => {
    await using site = await Site.open(kind);
    const asked: Headers = [
      ["Origin", "https://other.example"],
      ["Access-Control-Request-Method", "POST"],
    ];
    const ask = (method: string, headers: Headers) =>
      site.proxy.ask("/orders", { method, headers });
    const reached = await site.passes(ask("OPTIONS", [...asked, ...FORGED]));
    assert.equal(reached.method, "OPTIONS");
    assert.equal(reached.headers["x-auth-subject"] ?? "", "");
    assert.equal(reached.headers["x-auth-claims"] ?? "", "");
    assert.equal(reached.headers["x_auth_subject"], undefined);
    await site.refused(ask("OPTIONS", []), 401);
    for (const method of ["GET", "POST", "DELETE"]) await site.refused(ask(method, asked), 401);
    await site.passes(site.get(await site.box.token(), { method: "OPTIONS" }));
    assert.equal((await ask("OPTIONS", asked)).status, 200);
  });
}

for (const kind of QUERY_KINDS) {
  Deno.test(`${kind.name}: a WebSocket with its token in the query, which no log has`, async () => {
    await using site = await Site.open(kind);
    const token = await site.box.token();
    const bearer = { Authorization: `Bearer ${token}` };
    const open = (path: string, headers?: Record<string, string>) =>
      openSocket(site.proxy.port, path, headers);
    for (const query of ["?access_token=", "?room=1&access_token="]) {
      const forged = { "X-Auth-Subject": "root" };
      assert.deepEqual(await open(`/ws${query}${token}`, forged), { status: 101, echo: "hello" });
      const reached = site.upstream.reached.pop()!;
      assert.equal(reached.headers["x-auth-subject"], "alice");
      assert.match(reached.path, query.includes("room") ? /^\/ws\?room=1\b/ : /^\/ws\b/);
      assert.ok(!reached.path.includes(token), reached.path);
    }
    assert.equal((await open("/ws", bearer)).status, 101);
    const before = site.upstream.reached.length;
    for (const query of ["", "?access_token=", `?access_token=${token}x`, "?token=abc"]) {
      assert.equal((await open(`/ws${query}`)).status, 401, query);
    }
    // Elsewhere a query holds no token.
    assert.equal((await open(`/orders?access_token=${token}`)).status, 401);
    assert.equal(site.upstream.reached.length, before);
    await site.box.run(["rotate", "--force"]);
    assert.equal((await open(`/ws?access_token=${token}`)).status, 401);

    // Errors have lines of their own.
    const next = await site.box.token();
    await site.upstream[Symbol.asyncDispose]();
    assert.equal((await open(`/ws?access_token=${next}`)).status, 502);
    const log = join(site.box.home, "access.log");
    const written = () =>
      Deno.readTextFile(log).catch(() => "").then((text) => text + site.proxy.stderr);
    await until(async () => /502/.test(await written()), { otherwise: written });
    assert.match(await written(), /\/ws/);
    for (const text of [await written(), site.serving.stdout]) {
      for (const secret of [token, next]) assert.ok(!text.includes(secret), text);
    }
  });
}

for (const kind of SCOPE_KINDS) {
  Deno.test(`${kind.name}: a scope that its configuration asks for, whatever the client's query is`, async () => {
    await using site = await Site.open(kind);
    const [user, admin] = [
      await site.box.token("alice", "--scope", "read"),
      await site.box.token("root", "--scope", "read admin"),
    ];
    for (const query of ["", "?page=2", "?scope=read", "?scope=admin", "?scopes=x"]) {
      const ask = (token: string) =>
        site.proxy.ask(`/orders${query}`, { headers: [["Authorization", `Bearer ${token}`]] });
      await site.passes(ask(admin));
      const { headers } = await site.refused(ask(user), 403);
      // nginx passes on the challenge of a 401 only.
      if (kind.name === "Caddy") assert.match(headers.get("www-authenticate")!, /scope="admin"/);
      await site.refused(ask("x"), 401);
    }
  });
}

for (const kind of KINDS) {
  Deno.test(`${kind.name}: a client's own scope in its query is the application's alone`, async () => {
    await using site = await Site.open(kind);
    const token = await site.box.token();
    const headers: Headers = [["Authorization", `Bearer ${token}`]];
    for (const query of ["?scope=admin", "?aud=x&page=2", "?scopes=", "?"]) {
      await site.passes(site.proxy.ask(`/orders${query}`, { headers }));
    }
  });
}
