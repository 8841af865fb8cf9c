import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHmac, randomBytes } from "node:crypto";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Box } from "../support/box.ts";
import {
  adapted,
  type Answer,
  ask,
  type Asking,
  documented,
  Proxy,
  type Reached,
  Upstream,
} from "../support/proxies.ts";
import { Serving } from "../support/serving.ts";

// The configurations are those of docs/proxies.md, with this machine's ports.

const PASSWORD = "correct horse battery staple";
const SERVE = ["--host", "app.example.com", "--trust-forwarded"];

const [NGINX, NGINX_UNIX, NGINX_COOKIE_MAP, NGINX_COOKIE] = documented("nginx") as [
  string,
  string,
  string,
  string,
];
const [CADDY, CADDY_COOKIE] = documented("caddyfile") as [string, string];

/** A proxy, rekey and an application behind it. */
class Site implements AsyncDisposable {
  readonly upstream = new Upstream();
  serving!: Serving;
  proxy!: Proxy;
  readonly #args: readonly string[];

  private constructor(readonly box: Box, args: readonly string[]) {
    this.#args = args;
  }

  static async open(kind: Kind, prepare?: (box: Box) => Promise<void>): Promise<Site> {
    const box = new Box();
    const socket = join(box.home, "rekey.sock");
    const site = new Site(box, [...SERVE, ...kind.unix ? ["--unix", socket] : []]);
    try {
      if (prepare === undefined) assert.equal((await box.run(["init"])).code, 0);
      else await prepare(box);
      site.serving = await Serving.start(box, [...site.#args]);
      const rekey = kind.unix ? socket : new URL(site.serving.url).host;
      site.proxy = await kind.start(box, { rekey, upstream: site.upstream.address });
      return site;
    } catch (error) {
      await site[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Ends rekey and starts it again where it was. */
  async stopRekey(): Promise<() => Promise<void>> {
    const { port } = this.serving.url === "" ? { port: "" } : new URL(this.serving.url);
    const start = Date.now();
    assert.equal((await this.serving.stop()).code, 0);
    assert.ok(Date.now() - start < 5_000, "idle connections of a proxy hold it up");
    return async () => {
      const listen = port === "" ? [] : ["--listen", `127.0.0.1:${port}`];
      this.serving = await Serving.start(this.box, [...this.#args, ...listen]);
    };
  }

  get(token?: string, { headers = [], ...more }: Asking = {}): Promise<Answer> {
    const bearer: [string, string][] = token === undefined
      ? []
      : [["Authorization", `Bearer ${token}`]];
    return this.proxy.ask("/orders?page=2", { ...more, headers: [...bearer, ...headers] });
  }

  /** What reached the application, once the request got through. */
  async passes(asking: Promise<Answer>): Promise<Reached> {
    const before = this.upstream.reached.length;
    const { status, body } = await asking;
    assert.equal(status, 200, this.proxy.stderr);
    assert.equal(this.upstream.reached.length, before + 1);
    return JSON.parse(body);
  }

  /** The answer of a request that must not get through. */
  async refused(asking: Promise<Answer>, ...statuses: number[]): Promise<Answer> {
    const before = this.upstream.reached.length;
    const answer = await asking;
    assert.ok(statuses.includes(answer.status), `${answer.status} ${this.proxy.stderr}`);
    assert.equal(this.upstream.reached.length, before, "it reached the application");
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy?.[Symbol.asyncDispose]();
    await this.serving?.[Symbol.asyncDispose]();
    await this.upstream[Symbol.asyncDispose]();
    this.box[Symbol.dispose]();
  }
}

interface Addresses {
  /** A host and port, or the path of a socket. */
  readonly rekey: string;
  readonly upstream: string;
}

interface Kind {
  readonly name: string;
  readonly unix?: true;
  /** What it answers while rekey does not. */
  readonly down: number;
  start(box: Box, addresses: Addresses): Promise<Proxy>;
}

function nginx(text: string, { rekey, upstream }: Addresses, box: Box): Promise<Proxy> {
  const server = rekey.startsWith("/")
    ? { "unix:/run/rekey/rekey.sock": `unix:${rekey}` }
    : { "server 127.0.0.1:8700;": `server ${rekey};` };
  return Proxy.nginx(box, (port) =>
    adapted(text, {
      "listen 80;": `listen 127.0.0.1:${port};`,
      "http://127.0.0.1:3000": `http://${upstream}`,
      ...server,
    }));
}

function caddy(text: string, { rekey, upstream }: Addresses, box: Box): Promise<Proxy> {
  return Proxy.caddy(box, (port) =>
    adapted(text, {
      "app.example.com {": `http://app.example.com:${port} {`,
      "127.0.0.1:8700": rekey.startsWith("/") ? `unix/${rekey}` : rekey,
      "127.0.0.1:3000": upstream,
    }));
}

const OVER_UNIX = NGINX.replace(/^upstream rekey \{.*?^\}\n/ms, NGINX_UNIX);

const KINDS: Kind[] = [
  {
    name: "nginx",
    down: 500,
    start: (box, addresses) => nginx(NGINX, addresses, box),
  },
  {
    name: "nginx over a Unix socket",
    unix: true,
    down: 500,
    start: (box, addresses) => nginx(OVER_UNIX, addresses, box),
  },
  { name: "Caddy", down: 502, start: (box, addresses) => caddy(CADDY, addresses, box) },
  {
    name: "Caddy over a Unix socket",
    unix: true,
    down: 502,
    start: (box, addresses) => caddy(CADDY, addresses, box),
  },
];

const FORGED: [string, string][] = [
  ["X-Auth-Subject", "root"],
  ["X-Auth-Claims", Buffer.from('{"sub":"root"}').toString("base64url")],
  ["x-auth-subject", "admin"],
  ["X_Auth_Subject", "root"],
];

const claimsOf = ({ headers }: Reached) =>
  JSON.parse(Buffer.from(headers["x-auth-claims"]!, "base64url").toString());

for (const kind of KINDS) {
  Deno.test(`${kind.name}: a valid token gets through, and says whose it is`, async () => {
    await using site = await Site.open(kind);
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

  Deno.test(`${kind.name}: what is no valid token is 401 with a challenge`, async () => {
    await using site = await Site.open(kind);
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
      "signed by nobody": `${none}.${payload}.`,
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

  Deno.test(`${kind.name}: a rotation counts from the next request on`, async () => {
    await using site = await Site.open(kind);
    for (let version = 1; version <= 3; version++) {
      const token = await site.box.token();
      for (let i = 0; i < 3; i++) await site.passes(site.get(token));
      assert.equal((await site.box.run(["rotate", "--force"])).code, 0);
      const { headers } = await site.refused(site.get(token), 401);
      assert.match(headers.get("www-authenticate")!, /rotated away/);
    }
    await site.passes(site.get(await site.box.token()));
  });

  Deno.test(`${kind.name}: large claims get through`, async () => {
    await using site = await Site.open(kind);
    // The latter makes a token near the longest that is accepted.
    for (const length of [3_000, 11_000]) {
      const scope = "s".repeat(length);
      const reached = await site.passes(site.get(await site.box.token("a", "--scope", scope)));
      assert.equal(claimsOf(reached).scope, scope);
    }
  });

  Deno.test(`${kind.name}: a token of nobody stays one`, async () => {
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

  Deno.test(`${kind.name}: logins are passed on, with the client's address`, async () => {
    await using site = await Site.open(kind);
    await site.box.run(["user", "add", "alice"], { stdin: PASSWORD });
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

  Deno.test(`${kind.name}: nobody gets through while rekey does not answer`, async () => {
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

function throttled(box: Box): unknown[] {
  const database = new DatabaseSync(box.database, { readOnly: true });
  try {
    const rows = database.prepare("SELECT name FROM rekey_throttle WHERE kind = 'address'").all();
    return rows.map(({ name }) => name);
  } finally {
    database.close();
  }
}

const COOKIE_KINDS: Kind[] = [
  {
    name: "nginx",
    down: 500,
    start: (box, addresses) => {
      const server = adapted(NGINX, { "internal;": `internal;\n${NGINX_COOKIE}` });
      return nginx(NGINX_COOKIE_MAP + server, addresses, box);
    },
  },
  {
    name: "Caddy",
    down: 502,
    start: (box, addresses) => {
      const site = adapted(CADDY, { "forward_auth ": `${CADDY_COOKIE}forward_auth ` });
      return caddy(site, addresses, box);
    },
  },
];

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

for (const kind of KINDS.filter(({ unix }) => !unix)) {
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

// Envoy itself is not to be had in Debian: these are its requests.
Deno.test("what Envoy asks: any method and path below /auth, answered 200 or 401", async () => {
  using box = new Box();
  await box.run(["init"]);
  await using serving = await Serving.start(box);
  const to = { hostname: "127.0.0.1", port: Number(new URL(serving.url).port) };
  const token = await box.token();
  const bearer: [string, string][] = [["Authorization", `Bearer ${token}`]];
  const paths = ["/auth/", "/auth/orders?page=2", "/auth/../healthz", "/auth/%2e%2e/healthz"];
  for (const path of [...paths, "/auth//healthz", "/auth/..\\healthz", "/auth/x#/../healthz"]) {
    for (const method of ["GET", "POST", "DELETE", "OPTIONS", "PROPFIND"]) {
      const headers: [string, string][] = [["Content-Length", "0"]];
      assert.equal((await ask(to, path, { method, headers })).status, 401, path);
      const accepted = await ask(to, path, { method, headers: [...headers, ...bearer] });
      assert.equal(accepted.status, 200, path);
      assert.equal(accepted.headers.get("x-auth-subject"), "alice");
    }
  }
});

Deno.test("a Host chooses no other route, on a Unix socket either", async () => {
  using box = new Box();
  await box.run(["init"]);
  const path = join(box.home, "rekey.sock");
  await using serving = await Serving.start(box, ["--unix", path]);
  const to = { transport: "unix", path } as const;
  for (const host of ["x/healthz?", "x/healthz#", "x:80/healthz?", "/healthz?", "x\\y", ""]) {
    for (const route of ["/auth", "/auth/orders"]) {
      assert.equal((await ask(to, route, { host })).status, 421, `${route} of ${host}`);
    }
  }
  assert.equal((await ask(to, "/auth", { host: "app.example.com" })).status, 401);
  assert.equal((await serving.stop()).code, 0);
});
