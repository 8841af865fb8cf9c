import assert from "node:assert/strict";
import { rejectMalformedHost } from "../../src/http/guard.ts";
import { HttpRefusal } from "../../src/http/problem.ts";

const asked = (host: string) => new Request("http://x/auth", { headers: { host } });

for (const host of ["x/healthz?", "x#", "x?", "x\\y", "a@b", "a b", "a, b", "", "é"]) {
  Deno.test(`Host ${JSON.stringify(host)} is refused: the URL is made of it`, () => {
    const isRefusal = (error: unknown) =>
      error instanceof HttpRefusal && error.code === "misdirected_request";
    assert.throws(() => rejectMalformedHost(asked(host)), isRefusal);
  });
}

for (const host of ["app.example.com", "app.example.com:8443", "[::1]:80", "rekey_upstream"]) {
  Deno.test(`Host ${host} may be one`, () => rejectMalformedHost(asked(host)));
}
