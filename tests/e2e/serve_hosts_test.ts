import assert from "node:assert/strict";
import { certify, tlsFlags } from "../support/http/certificates.ts";
import { HealthChecks } from "../support/proxy/haproxy.ts";
import { initialised } from "../support/process/initialised.ts";
import { ask, Proxy } from "../support/proxy/proxies.ts";
import { converse, parse } from "../support/http/raw_http.ts";
import { Serving } from "../support/http/serving.ts";

const REMOTE = ["--listen", "0.0.0.0:0", "--allow-remote"];

/** An address of this machine that others could ask by. */
const [outward] = Deno.networkInterfaces()
  .filter(({ address, family }) => family === "IPv4" && !address.startsWith("127."))
  .map(({ address }) => address);

Deno.test("a loopback server answers to each way of writing its own address, and to no name", async () => {
  using box = await initialised();
  await using serving = await Serving.start(box, ["--host", "App.example.com:443"]);
  const { host, hostname, port } = new URL(serving.url);
  const to = { hostname, port: Number(port) };
  const own = [host, hostname, "127.0.0.1:80", "127.0.0.1.", `[::ffff:127.0.0.1]:${port}`];
  const names = ["LOCALHOST", `localhost.:${port}`, "[::1]:443", "a.localhost", "app.example.com."];
  for (const name of [...own, ...names]) {
    assert.equal((await ask(to, "/healthz", { host: name })).status, 200, name);
  }
  for (const name of ["evil.example", "0.0.0.0", "10.99.99.99", "localhost.evil.example"]) {
    const { status, body } = await ask(to, "/healthz", { host: name });
    assert.equal(status, 421, name);
    const problem = JSON.parse(body);
    assert.equal(problem.code, "misdirected_request");
    assert.match(problem.hint, /--host NAME$/);
  }
  const old = await converse(to.port, ["GET /healthz HTTP/1.0\r\n\r\n"]);
  assert.match(old, /^HTTP\/1\.0 200 /);
  const [bare] = parse(await converse(to.port, ["GET / HTTP/1.1\r\nConnection: close\r\n\r\n"]));
  assert.equal(bare!.status, 200);
  assert.doesNotMatch(serving.stderr, /warning/);
});

Deno.test("--host takes names and addresses, and nothing that could never be asked for", async () => {
  using box = await initialised();
  for (const host of ["http://app.example.com", "*.example.com", "a b", "[::1", "app.example/x"]) {
    const { code, stderr } = await box.run(["serve", "--listen", "127.0.0.1:0", "--host", host]);
    assert.equal(code, 2, host);
    assert.match(stderr, /Write app\.example\.com/);
  }
  const hosts = ["10.1.2.3", "[fd00::5]", "BÜCHER.example"].flatMap((host) => ["--host", host]);
  const { code } = await box.run(["serve", ...hosts]);
  assert.equal(code, 2, "a name in Unicode is to be written as its A-label");
  await using serving = await Serving.start(box, hosts.slice(0, 4));
  const { hostname, port } = new URL(serving.url);
  for (const host of ["10.1.2.3:8700", "[FD00:0::5]:1"]) {
    const asked = await ask({ hostname, port: Number(port) }, "/healthz", { host });
    assert.equal(asked.status, 200, host);
  }
});

Deno.test("on all addresses: each of the machine's is its own, the one that is printed too", async () => {
  using box = await initialised();
  const tls = tlsFlags(await certify(box, "one"));
  for (const listen of ["0.0.0.0:0", "[::]:0"]) {
    await using serving = await Serving.start(box, ["--listen", listen, "--allow-remote", ...tls]);
    const { port } = new URL(serving.url);
    const status = async (host: string, ...more: string[]) => {
      const url = `https://${host}:${port}/healthz`;
      const flags = ["--silent", "--insecure", "--output", "/dev/null"];
      const { stdout } = await box.exec("curl", [
        ...[...flags, "--write-out", "%{http_code}", ...more, url],
      ]);
      return Number(stdout);
    };
    const addressesNow = () =>
      Deno.networkInterfaces()
        .filter(({ family }) => family === "IPv4" || listen.startsWith("["))
        // A link-local address is reached by its zone only.
        .map(({ address, family, scopeid, name }) =>
          family === "IPv4" ? address : scopeid ? `[${address}%25${name}]` : `[${address}]`
        );
    const unspecified = listen.slice(0, -2);
    for (const address of [...addressesNow(), unspecified]) {
      for (const version of ["--http1.1", "--http2"]) {
        const answer = await status(address, version);
        // The fleet's tests make networks on this machine, and remove them.
        if (answer === 0 && address !== unspecified && !addressesNow().includes(address)) continue;
        assert.equal(answer, 200, `${listen} ${address} ${version}`);
      }
    }
    assert.equal(await status("evil.example", "--connect-to", "::127.0.0.1:"), 421);
    assert.match(serving.stderr, /warning: .*--host/);
    await using named = await Serving.start(box, [
      ...["--listen", listen, "--allow-remote", ...tls, "--host", "app.example.com"],
    ]);
    assert.doesNotMatch(named.stderr, /only requests/);
  }
});

Deno.test("HAProxy's health checks pass, in HTTP/1.0 and 1.1, with a Host and without", async () => {
  using box = await initialised();
  await using local = await Serving.start(box);
  await using remote = await Serving.start(box, [
    ...[...REMOTE, ...tlsFlags(await certify(box, "one"))],
  ]);
  const port = (serving: Serving) => new URL(serving.url).port;
  const checks = {
    old: "option httpchk GET /healthz",
    new: "option httpchk\n  http-check send meth GET uri /readyz ver HTTP/1.1",
    named: "option httpchk\n  http-check send meth GET uri /healthz ver HTTP/1.1 hdr Host HOST",
    foreign:
      "option httpchk\n  http-check send meth GET uri /healthz ver HTTP/1.1 hdr Host evil.example",
  };
  const servers: Record<string, [string, string]> = {
    local: [`127.0.0.1:${port(local)}`, ""],
    remote: [`${outward ?? "127.0.0.1"}:${port(remote)}`, " check-ssl verify none"],
  };
  const backends = Object.entries(servers).flatMap(([place, [address, flags]]) =>
    Object.entries(checks).map(([name, check]) =>
      `backend ${place}-${name}\n  ${check.replace("HOST", address)}\n` +
      `  server rekey ${address} check inter 1s${flags}\n`
    )
  );
  await using haproxy = await HealthChecks.start(box, backends.join(""));
  const results = await haproxy.results();
  assert.equal(Object.keys(results).length, 8);
  for (const [backend, result] of Object.entries(results)) {
    assert.equal(result, backend.endsWith("foreign") ? "L7STS/421" : "L7OK/200", backend);
  }
});

Deno.test("Caddy's health checks pass: what it passes on is answered only while they do", async () => {
  using box = await initialised();
  await using serving = await Serving.start(box);
  await using caddy = await Proxy.caddy(
    box,
    (port) =>
      `http://app.example.com:${port} {\n\treverse_proxy ${new URL(serving.url).host} {\n` +
      "\t\thealth_uri /readyz\n\t\thealth_interval 100ms\n\t\theader_up Host {upstream_hostport}\n" +
      "\t}\n}\n",
  );
  const asked = () =>
    serving.stdout.split("\n").filter((line) => line.includes('"/readyz"')).length;
  await serving.until(() => asked() >= 3);
  assert.doesNotMatch(serving.stdout, /421/);
  assert.equal((await caddy.ask("/healthz")).status, 200);
});
