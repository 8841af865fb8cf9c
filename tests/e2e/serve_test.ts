import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Box } from "../support/box.ts";
import { Serving } from "../support/serving.ts";

const PASSWORD = "correct horse battery staple";

async function makeBox(): Promise<Box> {
  const box = new Box();
  assert.equal((await box.run(["init"])).code, 0);
  return box;
}

async function logIn(serving: Serving, name = "alice", password = PASSWORD) {
  const response = await serving.post("/login", { name, password });
  return { status: response.status, answer: await response.json(), headers: response.headers };
}

Deno.test("the guide's integration test, over HTTP", async () => {
  using box = await makeBox();
  await using serving = await Serving.start(box);
  // 1. Create test user and authenticate
  assert.equal((await box.run(["user", "add", "alice"], { stdin: PASSWORD })).code, 0);
  const { status, answer: { token } } = await logIn(serving);
  assert.equal(status, 200);
  // 2. Verify token works
  assert.equal(await serving.auth(token), 204);
  // 3. Rotate secret
  assert.equal((await box.run(["rotate", "--force"])).code, 0);
  // 4. Verify old token no longer works
  const refused = await serving.get("/auth", token);
  assert.equal(refused.status, 401);
  assert.equal((await refused.json()).code, "retired_kid");
  assert.match(refused.headers.get("www-authenticate")!, /^Bearer .*error="invalid_token"/);
  // 5. Verify new authentication succeeds
  const again = await logIn(serving);
  assert.equal(again.status, 200);
  assert.equal(await serving.auth(again.answer.token), 204);
});

Deno.test("a session: who am I, the end of it, and nothing of it in the log", async () => {
  using box = await makeBox();
  await box.run(["user", "add", "alice"], { stdin: PASSWORD });
  await using serving = await Serving.start(box);
  const { answer: { token, jti, expires_at } } = await logIn(serving);
  const session = await (await serving.get("/session", token)).json();
  assert.deepEqual([session.sub, session.jti, session.expires_at], ["alice", jti, expires_at]);
  const { answer: { token: other } } = await logIn(serving);
  assert.equal(await serving.status(serving.post("/logout", {}, token)), 204);
  assert.equal(await serving.auth(token), 401);
  assert.equal(await serving.auth(other), 204, "another session of the same user goes on");
  const wrong = await logIn(serving, "alice", "not the password");
  assert.deepEqual([wrong.status, wrong.answer.code], [401, "bad_credentials"]);
  assert.equal(wrong.headers.get("www-authenticate"), 'Bearer realm="rekey"');

  assert.equal(await serving.status(serving.get(`/verify/${token}?token=${token}`)), 404);
  assert.equal((await serving.stop()).code, 0);
  const lines = serving.stdout.trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(
    lines.map(({ route, status }) => `${route} ${status}`),
    [
      ...["/login 200", "/session 200", "/login 200", "/logout 204", "/auth 401", "/auth 204"],
      ...["/login 401", "other 404"],
    ],
  );
  const written = serving.stdout + serving.stderr;
  for (const word of [token, token.split(".")[2], PASSWORD, "not the password", "alice", jti]) {
    assert.ok(!written.includes(word), "the log holds what a client wrote");
  }
});

Deno.test("sessions end by the command line as well", async () => {
  using box = await makeBox();
  await box.run(["user", "add", "alice"], { stdin: PASSWORD });
  await using serving = await Serving.start(box);
  const { answer: { token } } = await logIn(serving);
  assert.equal(await serving.auth(token), 204);
  await box.run(["session", "revoke", "--user", "alice"]);
  assert.equal(await serving.auth(token), 401);
  const { answer } = await logIn(serving);
  await box.run(["user", "passwd", "alice"], { stdin: `${PASSWORD}!` });
  assert.equal(await serving.auth(answer.token), 401);
});

Deno.test("throttling survives a restart of the server", async () => {
  using box = await makeBox();
  await box.run(["user", "add", "alice"], { stdin: PASSWORD });
  {
    await using serving = await Serving.start(box);
    for (let i = 0; i < 5; i++) await logIn(serving, "alice", "wrong wrong");
    assert.equal((await serving.stop()).code, 0);
  }
  // On a slow machine the first waits are over before the next server is up: some more failures.
  const database = new DatabaseSync(box.database);
  const { changes } = database.prepare(
    "UPDATE rekey_throttle SET failures = failures + 10 WHERE failures = 5 AND kind = 'user'",
  ).run();
  database.close();
  assert.equal(changes, 1);
  await using serving = await Serving.start(box);
  const { status, answer, headers } = await logIn(serving);
  assert.deepEqual([status, answer.code], [429, "throttled"]);
  assert.match(headers.get("retry-after")!, /^[1-9]\d*$/);
});

Deno.test("a rotation over HTTP needs an admin's token, and ends it", async () => {
  using box = await makeBox();
  await using serving = await Serving.start(box);
  const [user, admin] = [await box.token(), await box.token("root", "--scope", "ops admin")];
  const refused = await serving.post("/rotate", {}, user);
  assert.equal(refused.status, 403);
  assert.match(refused.headers.get("www-authenticate")!, /insufficient_scope.*scope="admin"/);
  await refused.body?.cancel();
  const answer = await (await serving.post("/rotate", { reason: "drill", request_id: "a" }, admin))
    .json();
  assert.deepEqual([answer.version, answer.previous_version, answer.reason], [2, 1, "drill"]);
  assert.equal(await serving.auth(admin), 401);
  const { version, kid } = await box.json("status");
  assert.deepEqual([version, kid], [answer.version, answer.kid]);
  // The same request again, with a new token, answers with the rotation that it made.
  const next = await box.token("root", "--scope", "admin");
  const again = await (await serving.post("/rotate", { request_id: "a" }, next)).json();
  assert.deepEqual([again.version, again.rotated], [2, false]);
});

Deno.test("a grace window lets the old token pass until it ends", async () => {
  using box = await makeBox();
  await using serving = await Serving.start(box);
  const token = await box.token();
  await box.run(["rotate", "--force", "--grace", "1h"]);
  assert.equal(await serving.auth(token), 204);
  await box.run(["revoke"]);
  assert.equal(await serving.auth(token), 401);
});

Deno.test("a Unix socket: mode 0600, answers, and is gone afterwards", async () => {
  using box = await makeBox();
  const path = join(box.home, "rekey.sock");
  await using serving = await Serving.start(box, ["--unix", path]);
  assert.equal(Deno.statSync(path).mode! & 0o777, 0o600);
  const token = await box.token();
  const ask = () =>
    box.exec("curl", [
      ...["--silent", "--output", "-", "--write-out", "%{http_code}", "--unix-socket", path],
      ...["--header", `Authorization: Bearer ${token}`, "http://localhost/auth"],
    ]);
  assert.equal((await ask()).stdout, "204");
  const second = await box.run(["serve", "--unix", path]);
  assert.equal(second.code, 1);
  assert.match(second.stderr, /another program listens there/);
  await box.run(["rotate", "--force"]);
  assert.match((await ask()).stdout, /401$/);
  assert.equal((await serving.stop()).code, 0);
  assert.throws(() => Deno.statSync(path), Deno.errors.NotFound);
});

Deno.test("a socket that a killed server left is taken over; a file that is none is not", async () => {
  using box = await makeBox();
  const path = join(box.home, "rekey.sock");
  {
    await using killed = await Serving.start(box, ["--unix", path]);
    await killed.stop("SIGKILL");
  }
  assert.ok(Deno.statSync(path).isSocket);
  await using serving = await Serving.start(box, ["--unix", path]);
  assert.equal((await serving.stop()).code, 0);
  await Deno.writeTextFile(path, "mine");
  const refused = await box.run(["serve", "--unix", path]);
  assert.equal(refused.code, 1);
  assert.equal(await Deno.readTextFile(path), "mine");
});

Deno.test("two servers cannot share a port by accident", async () => {
  using box = await makeBox();
  await using serving = await Serving.start(box, ["--workers", "2"]);
  const { port } = new URL(serving.url);
  const { code, stderr } = await box.run(["serve", "--listen", `127.0.0.1:${port}`]);
  assert.equal(code, 1);
  assert.match(stderr, /another program listens there/);
});

Deno.test("what cannot be served is said before anything listens", async () => {
  using box = await makeBox();
  const cases: [string[], number, RegExp][] = [
    [["--listen", "0.0.0.0:0"], 2, /--allow-remote/],
    [["--listen", "0.0.0.0:0", "--allow-remote"], 2, /--tls-cert/],
    [["--listen", "[::]:0"], 2, /--allow-remote/],
    [["--listen", "127.0.0.1"], 2, /127\.0\.0\.1:8700/],
    [["--listen", "127.0.0.1:99999"], 2, /address/],
    [["--listen", "127.0.0.1:0", "--tls-cert", "x"], 2, /--tls-key/],
    [["--listen", "127.0.0.1:0", "--tls-cert", "x", "--tls-key", "y"], 2, /Cannot read x/],
    [["--unix", "no/such/folder"], 1, /no such place/],
    [["--workers", "0"], 2, /--workers/],
  ];
  for (const [args, wanted, text] of cases) {
    const { code, stderr } = await box.run(["serve", ...args]);
    assert.equal(code, wanted, `${args}: ${stderr}`);
    assert.match(stderr, text);
  }
  using empty = new Box();
  const { code, stderr } = await empty.run(["serve", "--listen", "127.0.0.1:0"]);
  assert.equal(code, 4);
  assert.match(stderr, /rekey init/);
});

Deno.test("TLS on a remote address: the page and the metrics want a scope there", async () => {
  using box = await makeBox();
  await box.exec("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
    ...["-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=localhost"],
    ...["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-days", "2"],
  ]);
  const tls = ["--tls-cert", "cert.pem", "--tls-key", "key.pem"];
  await using serving = await Serving.start(box, [
    ...["--listen", "0.0.0.0:0", "--allow-remote", ...tls],
  ]);
  const { port } = new URL(serving.url);
  const ask = async (path: string, ...more: string[]) => {
    const { stdout, stderr } = await box.exec("curl", [
      ...[
        "--silent",
        "--show-error",
        "--cacert",
        "cert.pem",
        "--output",
        "/dev/null",
        "--write-out",
      ],
      ...["%{http_code}", ...more, `https://localhost:${port}${path}`],
    ]);
    return Number(stdout) || stderr;
  };
  const bearer = (token: string) => ["--header", `Authorization: Bearer ${token}`];
  const [user, scraper] = [await box.token(), await box.token("p", "--scope", "metrics")];
  assert.equal(await ask("/auth", ...bearer(user)), 204);
  for (const path of ["/metrics", "/status.json"]) {
    assert.equal(await ask(path), 401, path);
    assert.equal(await ask(path, ...bearer(user)), 403, path);
    assert.equal(await ask(path, ...bearer(scraper)), 200, path);
  }
  assert.equal(await ask("/introspect", "--data", `token=${user}`), 401);
  assert.equal(await ask("/introspect", "--data", `token=${user}`, ...bearer(user)), 403);
  assert.equal(await ask("/healthz"), 200);
  assert.equal(await ask("/healthz", "--http1.1", "--header", "Host: evil.example"), 421);
});

Deno.test("a stop answers what is in flight, takes nothing new, and exits 0", async () => {
  using box = await makeBox();
  await box.run(["user", "add", "alice"], { stdin: PASSWORD });
  await using serving = await Serving.start(box);
  // A login takes half a second: it is in flight when the signal comes.
  const login = logIn(serving);
  await new Promise((resolve) => setTimeout(resolve, 100));
  const { code } = await serving.stop();
  assert.equal(code, 0);
  assert.equal((await login).status, 200);
  await assert.rejects(serving.get("/healthz"));
});

Deno.test("SIGINT stops it too, and figures are written down before it ends", async () => {
  using box = await makeBox();
  const token = await box.token();
  await using serving = await Serving.start(box);
  for (let i = 0; i < 7; i++) await serving.auth(token);
  assert.equal((await serving.stop("SIGINT")).code, 0);
  assert.equal((await box.json("stats")).verifications.valid, 7);
});

Deno.test("a database that is destroyed and made anew under it is noticed", async () => {
  using box = await makeBox();
  await using serving = await Serving.start(box);
  const token = await box.token();
  assert.equal(await serving.auth(token), 204);
  await box.run(["destroy", "--force"]);
  assert.equal(await serving.auth(token), 503);
  assert.equal((await serving.get("/readyz").then((r) => r.json())).code, "not_initialised");
  await box.run(["init"]);
  assert.equal(await serving.auth(token), 401);
  assert.equal(await serving.auth(await box.token()), 204);
});

Deno.test("a restored older secret verifies, what came after the backup does not", async () => {
  using box = await makeBox();
  await box.run(["backup", "copy.db"]);
  const old = await box.token();
  await box.run(["rotate", "--force"]);
  await using serving = await Serving.start(box);
  const newer = await box.token();
  assert.deepEqual([await serving.auth(old), await serving.auth(newer)], [401, 204]);
  const { code, stderr } = await box.run(["restore", "copy.db", "--force"]);
  const { version } = await box.json("status");
  // Whatever the restoration made of it, the server says what the command line says.
  for (const token of [old, newer]) {
    const verdict = await box.run(["verify", token]);
    assert.equal(await serving.auth(token), verdict.code === 0 ? 204 : 401, `${code} ${stderr}`);
  }
  assert.equal((await serving.get("/status.json").then((r) => r.json())).version, version);
});

Deno.test("a log that nobody reads holds up neither requests nor the end", async () => {
  using box = await makeBox();
  const token = await box.token();
  await using serving = await Serving.start(box, [], { before: "exec >&-" });
  for (let i = 0; i < 50; i++) assert.equal(await serving.auth(token), 204);
  assert.equal((await serving.stop()).code, 0);
});

Deno.test("systemd is told when it is ready, alive, and stopping", async () => {
  using box = await makeBox();
  const path = join(box.home, "notify");
  const systemd = Deno.listenDatagram({ transport: "unixpacket", path });
  const env = { NOTIFY_SOCKET: path, WATCHDOG_USEC: "200000" };
  const next = async () => new TextDecoder().decode((await systemd.receive())[0]);
  const starting = Serving.start(box, [], { env });
  assert.equal(await next(), "READY=1");
  await using serving = await starting;
  assert.equal(await serving.status(serving.get("/healthz")), 200);
  for (let i = 0; i < 3; i++) assert.equal(await next(), "WATCHDOG=1");
  const stopping = serving.stop();
  for (let state = ""; state !== "STOPPING=1";) state = await next();
  assert.equal((await stopping).code, 0);
  systemd.close();
});

Deno.test("systemd is told by way of an abstract socket, too", async () => {
  using box = await makeBox();
  const name = `rekey-test-${crypto.randomUUID()}`;
  const listen = `import socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("\\0${name}"); print("bound", flush=True); print(s.recv(100).decode(), flush=True)`;
  const systemd = new Deno.Command("/usr/bin/python3", { args: ["-c", listen], stdout: "piped" })
    .spawn();
  const reader = systemd.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let heard = (await reader.read()).value!;
  await using serving = await Serving.start(box, [], { env: { NOTIFY_SOCKET: `@${name}` } });
  assert.equal(serving.stderr.includes("systemd was not told"), false);
  for (let part = await reader.read(); !part.done; part = await reader.read()) heard += part.value;
  assert.match(heard, /READY=1/);
  await systemd.status;
});
