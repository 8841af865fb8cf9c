import assert from "node:assert/strict";
import { bodyless, finished } from "../../src/http/app.ts";

Deno.test("the runtime's server gives one answer without a body as often as it is asked", async () => {
  for (const status of [204, 200]) {
    const kept = bodyless(status, { "x-auth-subject": "alice", "x-auth-claims": "e30" });
    const onListen = () => {};
    await using server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen },
      (_request) => finished(kept),
    );
    const url = `http://127.0.0.1:${server.addr.port}/`;
    const told = async (method: string) => {
      const response = await fetch(url, { method });
      assert.equal(await response.text(), "");
      const headers = [...response.headers].filter(([name]) => name !== "date");
      return { status: response.status, headers };
    };
    const first = await told("GET");
    assert.equal(first.status, status);
    const names = first.headers.map(([name]) => name).filter((name) => /^x-|^cache/.test(name));
    assert.deepEqual(names, ["cache-control", "x-auth-claims", "x-auth-subject"]);
    for (let i = 0; i < 5; i++) assert.deepEqual(await told("GET"), first);
    assert.equal((await told("HEAD")).status, status);
    const many = await Promise.all(Array.from({ length: 50 }, () => told("GET")));
    for (const one of many) assert.deepEqual(one, first);
  }
});
