import assert from "node:assert/strict";
import { rejectForeignSite } from "../../src/http/guard.ts";
import {
  canonicalHost,
  isOwnHost,
  machineAddresses,
  type Names,
} from "../../src/http/host_names.ts";
import { HttpRefusal } from "../../src/http/problem.ts";
import { namesMissing, type Settings } from "../../src/serve/settings.ts";

Deno.test("a host has one form, however it is written", () => {
  const forms: Record<string, string[]> = {
    "127.0.0.1": ["127.0.0.1", "127.0.0.1:80", "127.0.0.1.", "[::ffff:127.0.0.1]:1"],
    "::1": ["[::1]", "[::1]:443", "::1", "[0:0:0:0:0:0:0:1]:8700", "[0000::0001]"],
    "fe80::1": ["[fe80::1%25eth0]:80", "[fe80::1%eth0]", "[FE80::1]", "fe80::1%eth0"],
    "10.0.0.7": ["[::ffff:a00:7]:8700", "::ffff:10.0.0.7", "10.0.0.7:"],
    "app.example.com": ["APP.Example.com", "app.example.com.", "app.example.com:8443"],
    "rekey_1": ["rekey_1:80"],
    localhost: ["LOCALHOST", "localhost.:8700"],
  };
  for (const [wanted, texts] of Object.entries(forms)) {
    for (const text of texts) assert.equal(canonicalHost(text), wanted, text);
  }
  const none = ["", ":80", ".", "a b", "[::1", "[x]", "http://a", "*.a", "256.1.1.1", "a:b", "é"];
  for (
    const text of [...none, "a:123456", "%6cocalhost", "[::1]x", "127.1", "0x7f.1", "2130706433"]
  ) {
    assert.equal(canonicalHost(text), undefined, text);
  }
});

const names = (listen: string, ...hosts: string[]): Names => ({
  hosts,
  anyHost: false,
  listens: [canonicalHost(listen)!],
  machine: () => ["10.0.0.7", "fd00::7", "fe80::7"],
});

Deno.test("a server owns the addresses that it listens on, the loopback and its names", () => {
  const cases: [listen: string, own: string[], foreign: string[]][] = [
    ["127.0.0.1", ["127.0.0.1", "[::1]", "localhost", "a.localhost"], ["10.0.0.7", "0.0.0.0"]],
    ["10.0.0.7", ["10.0.0.7:8700", "[::ffff:10.0.0.7]", "127.0.0.1"], ["10.0.0.8", "[fd00::7]"]],
    ["0.0.0.0", ["10.0.0.7", "0.0.0.0:8700", "127.9.9.9"], ["10.0.0.8", "app.example.com"]],
    ["[::]", ["10.0.0.7", "[fd00::7]:8700", "[::]:8700", "[fe80::7%25eth0]"], ["[fd00::8]"]],
    ["app.internal", ["APP.internal.:1", "10.0.0.7"], ["app", "x.app.internal"]],
    ["127.0.0.1", [], ["localhost.evil.example", "evillocalhost", "127.0.0.1.evil.example", ""]],
  ];
  for (const [listen, own, foreign] of cases) {
    const all = names(listen, "app.example.org");
    assert.ok(isOwnHost("app.example.org", all));
    for (const host of own) assert.ok(isOwnHost(canonicalHost(host), all), `${listen}: ${host}`);
    for (const host of foreign) assert.ok(!isOwnHost(canonicalHost(host), all), host);
  }
});

const refusalOf = (headers: Record<string, string>, all: Names) => {
  try {
    rejectForeignSite(new Request("http://127.0.0.1:8700/healthz", { headers }), all);
  } catch (error) {
    assert.ok(error instanceof HttpRefusal);
    return error;
  }
};

Deno.test("a client that is refused for its Host is told what to do", () => {
  const refusal = refusalOf({ host: "App.internal:8700" }, names("127.0.0.1"))!;
  assert.equal(refusal.code, "misdirected_request");
  assert.match(refusal.hint!, /--host NAME$/);
});

Deno.test("an Origin is ours whichever way the Host is written", () => {
  const pairs: [string, string, boolean][] = [
    ["127.0.0.1:80", "http://127.0.0.1", true],
    ["localhost:443", "https://localhost", true],
    ["LOCALHOST:8700", "http://localhost:8700", true],
    ["localhost:443", "http://localhost", false],
    ["localhost:8700", "http://localhost:3000", false],
    ["127.0.0.1:8700", "http://evil.example:8700", false],
    ["127.0.0.1:8700", "https://app.example.org", true],
  ];
  for (const [host, origin, ours] of pairs) {
    const refusal = refusalOf({ host, origin }, names("127.0.0.1", "app.example.org"));
    assert.equal(refusal?.code, ours ? undefined : "forbidden", `${host} ${origin}`);
  }
});

Deno.test("every address of this machine is found", () => {
  const all = machineAddresses()();
  for (const { address } of Deno.networkInterfaces()) {
    assert.ok(all.includes(canonicalHost(address)!), address);
  }
});

Deno.test("what will be refused is reported at the start", () => {
  const told = (hostname: string, ...hosts: string[]) =>
    namesMissing({ hosts } as unknown as Settings, { kind: "tcp", hostname, port: 1 }).join();
  for (const listen of ["127.0.0.1", "::1", "localhost", "app.internal"]) {
    assert.equal(told(listen), "");
  }
  for (const listen of ["0.0.0.0", "::", "10.0.0.7"]) {
    assert.match(told(listen), /--host/);
    assert.equal(told(listen, "app.example.com"), "");
  }
});
