import assert from "node:assert/strict";
import { join } from "node:path";
import { Box } from "../support/process/box.ts";
import { ask } from "../support/proxy/proxies.ts";
import { Serving } from "../support/http/serving.ts";

// Debian does not package Envoy: these are its requests.
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
