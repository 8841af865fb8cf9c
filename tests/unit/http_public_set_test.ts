import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { RekeyError } from "../../src/core/errors.ts";
import { app, ISSUER, SET } from "../support/http/app.ts";

const JWKS = "/.well-known/jwks.json";
const ETAG = `"${createHash("sha256").update(SET.text).digest("base64url")}"`;

Deno.test("the public set is for everyone: any Host, any Origin, no token where other machines connect", async () => {
  const { ask } = app({ remote: true });
  const headers = { host: "other.example", origin: "https://page.example" };
  const response = await ask(JWKS, headers);
  assert.equal(response.status, 200);
  assert.equal(await response.text(), SET.text);
  const { headers: got } = response;
  assert.equal(got.get("content-type"), "application/jwk-set+json");
  assert.equal(got.get("cache-control"), "public, max-age=600, no-transform");
  assert.equal(got.get("access-control-allow-origin"), "*");
  assert.equal(got.get("etag"), ETAG);
  assert.equal(got.get("x-content-type-options"), "nosniff");
  assert.equal((await ask("/metrics", headers)).status, 421, "no other route is");
});

Deno.test("the public set is not sent again to who has it (RFC 9110 §13.1.2)", async () => {
  const { ask } = app();
  const status = async (tag: string) => {
    const response = await ask(JWKS, { "if-none-match": tag });
    if (response.status === 304) {
      assert.equal(await response.text(), "");
      assert.equal(response.headers.get("etag"), ETAG);
      assert.equal(response.headers.get("cache-control"), "public, max-age=600, no-transform");
      assert.equal(response.headers.get("content-type"), null);
    }
    return response.status;
  };
  for (const tag of [ETAG, `W/${ETAG}`, `"a", ${ETAG}`, "*"]) {
    assert.equal(await status(tag), 304, tag);
  }
  for (const tag of ["", '"other"', ETAG.slice(1), ETAG.slice(1, -1), ETAG + ETAG]) {
    assert.equal(await status(tag), 200, tag);
  }
});

Deno.test("HEAD of the public set has its headers and no body; other methods are refused", async () => {
  const { ask, served } = app();
  const head = await ask(JWKS, {}, "HEAD");
  assert.equal(head.status, 200);
  assert.equal(head.headers.get("etag"), ETAG);
  assert.equal(await head.text(), "");
  const posted = await ask(JWKS, {}, "POST", "x");
  assert.equal(posted.status, 405);
  assert.equal(posted.headers.get("allow"), "GET, HEAD");
  assert.equal(posted.headers.get("cache-control"), "no-store, no-transform");
  assert.deepEqual(served.map(({ route }) => route), [JWKS, JWKS], "the label of the metrics");
});

Deno.test("a set that cannot be read is 503 with its code, and nothing keeps the answer", async () => {
  const publicKeys = () => Promise.reject(new RekeyError("keyring_locked", "Cannot read"));
  const { ask } = app({ publicKeys });
  for (const path of [JWKS, "/.well-known/openid-configuration"]) {
    const response = await ask(path);
    assert.equal(response.status, 503);
    assert.equal(response.headers.get("cache-control"), "no-store, no-transform");
    const { code } = await response.json();
    assert.equal(code, "keyring_locked");
  }
});

Deno.test("discovery names the issuer as it is written, and the set under it", async () => {
  const { ask } = app();
  const response = await ask("/.well-known/openid-configuration", { host: "other.example" });
  assert.equal(response.headers.get("content-type"), "application/json");
  assert.deepEqual(await response.json(), {
    issuer: ISSUER,
    jwks_uri: "https://auth.example/.well-known/jwks.json",
    response_types_supported: ["id_token"],
    subject_types_supported: ["public"],
    id_token_signing_alg_values_supported: ["Ed25519"],
  });
  assert.notEqual(response.headers.get("etag"), ETAG, "it is another document");
});
