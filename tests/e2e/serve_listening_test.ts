import assert from "node:assert/strict";
import { join } from "node:path";
import { Box, REKEY } from "../support/process/box.ts";
import { initialised } from "../support/process/initialised.ts";
import { Serving } from "../support/http/serving.ts";

Deno.test("a Unix socket: mode 0600, answers, and is gone afterwards", async () => {
  using box = await initialised();
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

Deno.test("a socket that a killed server left is taken over; a file that is not a socket is not", async () => {
  using box = await initialised();
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

Deno.test("with --json a server says where it listens, as JSON", async () => {
  using box = await initialised();
  const { env, cwd } = box.surroundings();
  const server = new Deno.Command(REKEY, {
    ...{ env, cwd, clearEnv: true, stdout: "null", stderr: "piped" },
    args: ["--json", "serve", "--listen", "127.0.0.1:0"],
  }).spawn();
  const reader = server.stderr.pipeThrough(new TextDecoderStream()).getReader();
  const { value } = await reader.read();
  const { listening } = JSON.parse(value!);
  const answer = await fetch(`${listening}/healthz`);
  await answer.body?.cancel();
  assert.equal(answer.status, 200);
  server.kill("SIGTERM");
  await reader.cancel();
  assert.equal((await server.status).code, 0);
});

Deno.test("two servers cannot share a port by accident", async () => {
  using box = await initialised();
  await using serving = await Serving.start(box, ["--workers", "2"]);
  const { port } = new URL(serving.url);
  const { code, stderr } = await box.run(["serve", "--listen", `127.0.0.1:${port}`]);
  assert.equal(code, 1);
  assert.match(stderr, /another program listens there/);
});

Deno.test("what cannot be served is reported before the server listens", async () => {
  using box = await initialised();
  Deno.symlinkSync("loop", join(box.home, "loop"));
  Deno.writeTextFileSync(join(box.home, "file"), "");
  const cases: [string[], number, RegExp][] = [
    [["--listen", "0.0.0.0:0"], 2, /--allow-remote/],
    [["--listen", "0.0.0.0:0", "--allow-remote"], 2, /--tls-cert/],
    [["--listen", "[::]:0"], 2, /--allow-remote/],
    [["--listen", "127.0.0.1"], 2, /127\.0\.0\.1:8700/],
    [["--listen", "127.0.0.1:99999"], 2, /address/],
    [["--listen", "127.0.0.1:0", "--tls-cert", "x"], 2, /--tls-key/],
    [["--listen", "127.0.0.1:0", "--tls-cert", "x", "--tls-key", "y"], 2, /Cannot read x/],
    [["--unix", "no/such/folder"], 1, /no such address or folder/],
    [["--unix", "s", "--allow-remote"], 2, /with --unix/],
    [["--unix", "s", "--tls-cert", "x", "--tls-key", "y"], 2, /with --unix/],
    [["--unix", "s", "--tls-cert", "x"], 2, /with --unix/],
    [["--unix", "x".repeat(200)], 1, /path is too long for a socket\nhint: .*107 bytes/],
    [["--unix", "x".repeat(300)], 1, /^error: Cannot listen on that path: the path is too long/],
    [["--unix", join(box.home, "loop/s")], 1, /loop\/s: there is no such address or folder/],
    [["--unix", join(box.home, "file/s")], 1, /file\/s: there is no such address or folder/],
    [["--workers", "0"], 2, /--workers/],
    [["--workers", "65"], 2, /from 1 to 64/],
    [["--workers", "1000000"], 2, /from 1 to 64/],
    [["--ttl", "0s"], 2, /--ttl.*[^]*at least 1s/],
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
  using box = await initialised();
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
  for (const path of ["/metrics", "/status.json", "/audit.json", "/history.json"]) {
    assert.equal(await ask(path), 401, path);
    assert.equal(await ask(path, ...bearer(user)), 403, path);
    assert.equal(await ask(path, ...bearer(scraper)), 200, path);
  }
  assert.equal(await ask("/introspect", "--data", `token=${user}`), 401);
  assert.equal(await ask("/introspect", "--data", `token=${user}`, ...bearer(user)), 403);
  assert.equal(await ask("/healthz"), 200);
  assert.equal(await ask("/healthz", "--http1.1", "--header", "Host: evil.example"), 421);
});
