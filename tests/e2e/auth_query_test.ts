import assert from "node:assert/strict";
import { initialised } from "../support/process/initialised.ts";
import { Serving } from "../support/http/serving.ts";

Deno.test("/auth takes a scope, an audience and an issuer that the token must have", async () => {
  using box = await initialised();
  await using serving = await Serving.start(box);
  const token = await box.token(
    ...["alice", "--scope", "read write", "--aud", "shop", "--iss", "us"],
  );
  const [bare, admin] = [await box.token(), await box.token("root", "--scope", "admin")];
  const cases: [query: string, token: string, status: number, challenge?: RegExp][] = [
    ["", token, 204],
    ["?", token, 204],
    ["?scope=read", token, 204],
    ["?scope=read+write", token, 204],
    ["?scope=write%20read&scope=read", token, 204],
    ["?aud=shop&iss=us&scope=read", token, 204],
    ["?scope=admin", token, 403, /error="insufficient_scope", scope="admin"$/],
    ["?scope=read&scope=admin", token, 403, /scope="read admin"$/],
    ["?scope=rea", token, 403, /insufficient_scope/],
    ["?scope=read%2Cwrite", token, 403, /insufficient_scope/],
    ["?scope=read", bare, 403, /insufficient_scope/],
    // Of an application's scopes none stands for another one.
    ["?scope=read", admin, 403, /scope="read"$/],
    ["?aud=bank", token, 401, /error="invalid_token".*aud/],
    ["?aud=shop", bare, 401, /invalid_token/],
    ["?iss=them", token, 401, /error="invalid_token".*iss/],
    ["?aud=bank&scope=admin", token, 401, /invalid_token/],
    ["?scope=admin", "x", 401, /invalid_token/],
    ["?scopes=admin", token, 400],
    ["?Scope=read", token, 400],
    ["?scope=", token, 400],
    ["?scope=+", token, 400],
    ["?scope", token, 400],
    ["?aud=", token, 400],
    ["?aud=shop&aud=bank", token, 400],
    ['?scope=a"b', token, 400],
    ["?scope=a%0Ab", token, 400],
    ["?audience=shop", token, 400],
    ["?leeway=99999", token, 400],
    ["?access_token=x", token, 400],
  ];
  // Twice: the second answer comes from memory.
  for (const [query, bearer, wanted, challenge] of [...cases, ...cases]) {
    const { status, headers, body } = await serving.get(`/auth${query}`, bearer);
    await body?.cancel();
    assert.equal(status, wanted, query);
    if (challenge !== undefined) assert.match(headers.get("www-authenticate")!, challenge);
    if (wanted === 204) assert.equal(headers.get("x-auth-subject"), "alice");
  }
  const head = await serving.send("HEAD", "/auth?scope=admin", token);
  assert.equal(head.status, 403);
  await box.run(["rotate", "--force"]);
  assert.equal(await serving.status(serving.get("/auth?scope=read", token)), 401);
});

Deno.test("a client's own query decides nothing: below /auth, and where Caddy passes it on", async () => {
  using box = await initialised();
  await using serving = await Serving.start(box);
  const token = await box.token("alice", "--scope", "read");
  for (const path of ["/auth/?scope=admin", "/auth/orders?aud=x&scopes=y", "/auth/auth?scope=a"]) {
    assert.equal(await serving.status(serving.get(path, token)), 200, path);
    assert.equal(await serving.status(serving.get(path, "x")), 401, path);
  }
  const status = async (query: string, target: string) => {
    const headers = { authorization: `Bearer ${token}`, "x-forwarded-uri": target };
    return await serving.status(fetch(`${serving.url}/auth${query}`, { headers }));
  };
  assert.equal(await status("?page=2", "/orders?page=2"), 204);
  assert.equal(await status("?page=2", "/orders?page=3"), 400);
  assert.equal(await status("?page=2", "/orders"), 400);
  // What the operator asks for counts, whatever the client says that it has asked for.
  assert.equal(await status("?scope=admin", "/orders?scope=admin"), 403);
  assert.equal(await status("?aud=x", "/orders?aud=x"), 401);
});

Deno.test("what asks about a token ignores no requirement: it counts, or the request is refused", async () => {
  using box = await initialised();
  await using serving = await Serving.start(box);
  const token = await box.token("alice", "--scope", "read", "--aud", "shop");
  for (const path of ["/verify", "/verdict"]) {
    const asked = async (body: object) => {
      const response = await serving.post(path, { token, ...body });
      return [response.status, (await response.json()).valid];
    };
    const refused = path === "/verify" ? 401 : 200;
    assert.deepEqual(await asked({ scope: "read", aud: "shop" }), [200, true]);
    for (const body of [{ scope: "read admin" }, { aud: "bank" }, { iss: "us" }]) {
      assert.deepEqual(await asked(body), [refused, false]);
    }
    assert.deepEqual(await asked({ scopes: "read" }), [400, undefined]);
    const queried = serving.post(`${path}?aud=bank`, { token });
    assert.equal(await serving.status(queried), 400);
  }
  const active = async (fields: Record<string, string>, query = "") => {
    const body = new URLSearchParams({ token, ...fields });
    const response = await fetch(`${serving.url}/introspect${query}`, { method: "POST", body });
    return (await response.json()).active;
  };
  assert.equal(await active({ scope: "read", aud: "shop", client_id: "rfc" }), true);
  for (const fields of [{ scope: "admin" }, { aud: "bank" }, { iss: "us" }]) {
    assert.equal(await active(fields), false, JSON.stringify(fields));
  }
  assert.equal(await active({}, "?scope=admin"), undefined);
  assert.equal(await serving.status(serving.get("/session?scope=admin", token)), 400);
  assert.equal(await serving.status(serving.send("POST", "/rotate?grace=1h", token)), 400);
});

Deno.test("a body is nothing to /auth, announced or sent", async () => {
  using box = await initialised();
  await using serving = await Serving.start(box);
  const token = await box.token();
  const send = (path: string, method: string, body: string) =>
    serving.status(fetch(`${serving.url}${path}`, {
      method,
      body: body === "chunked" ? new Blob(["x".repeat(1000)]).stream() : body,
      headers: { authorization: `Bearer ${token}` },
    }));
  for (const body of ["", "x", "x".repeat(60_000), "chunked"]) {
    assert.equal(await send("/auth/upload", "POST", body), 200);
    assert.equal(await send("/auth", "POST", body), 405);
  }
  const flags = ["--silent", "--output", "/dev/null", "--write-out", "%{http_code}"];
  for (const length of ["Content-Length: 0", "Transfer-Encoding: chunked"]) {
    const { stdout } = await box.exec("curl", [
      ...[...flags, "--header", `Authorization: Bearer ${token}`, "--header", length],
      ...["--request", "GET", "--data", "hello", `${serving.url}/auth`],
    ]);
    assert.equal(stdout, "204", length);
  }
});
