import assert from "node:assert/strict";
import { app } from "../support/http/app.ts";

// A client that gets its answer while it still sends may report a failure.
for (const path of ["/auth", "/auth/any/path", "/healthz", "/no-such-route"]) {
  Deno.test(`a body that ${path} does not read is read before the answer`, async () => {
    const headers = { "content-type": "text/plain" };
    const request = new Request(`http://127.0.0.1:8700${path}`, {
      ...{ method: "POST", headers, body: "x".repeat(1_000) },
    });
    await app().send(request);
    assert.ok(request.bodyUsed);
  });
}
