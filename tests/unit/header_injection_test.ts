import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import type { JsonObject } from "../../src/jwt/jws.ts";
import { RekeyError } from "../../src/core/errors.ts";
import { makeApp, type Served } from "../../src/http/app.ts";
import { makeRoutes } from "../../src/http/routes.ts";
import type { Services } from "../../src/http/route.ts";
import { bearing } from "../support/http/bearing.ts";

/** What `GET /auth` answers while every token is verified so. */
async function asked(verify: Services["verify"]): Promise<{ response: Response; served: Served }> {
  const log: Served[] = [];
  const services = {
    verify,
    verifyBearer: bearing(verify),
    ready: () => Promise.resolve(),
    isScraper: () => false,
    publicKeys: () => Promise.reject(new Error("not asked")),
    secretHost: {} as Services["secretHost"],
    names: { hosts: [], anyHost: false, listens: ["127.0.0.1"], machine: () => [] },
    remote: false,
    trustForwarded: false,
  };
  const app = makeApp(makeRoutes("test"), services, (served) => log.push(served));
  const headers = { authorization: "Bearer x" };
  const request = new Request("http://127.0.0.1/auth", { headers });
  const response = await app(request, {
    remoteAddr: { transport: "tcp", hostname: "127.0.0.1", port: 1 },
  });
  return { response, served: log[0]! };
}

// With what breaks headers more often than chance would have it.
const text = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.array(
    fc.constantFrom("\r", "\n", "\0", ":", ",", '"', "\\", "é", "漢", "\ud83d", " ", "%0d", "a"),
  )
    .map((parts) => parts.join("")),
);

Deno.test("no subject and no claim breaks out of its header, and each is told as it is", async () => {
  const claims = fc.tuple(text, fc.dictionary(text, fc.oneof(text, fc.jsonValue())));
  await fc.assert(
    fc.asyncProperty(claims, async ([sub, more]) => {
      const said: JsonObject = { ...more, sub };
      const { response, served } = await asked(() =>
        Promise.resolve({ version: 1, kid: "k", claims: said })
      );
      assert.deepEqual([response.status, served.bug], [204, undefined]);
      const subject = response.headers.get("x-auth-subject")!;
      assert.match(subject, /^[\x21-\x7e]*$/);
      assert.equal(decodeURIComponent(subject), sub.toWellFormed());
      const told = response.headers.get("x-auth-claims")!;
      assert.match(told, /^[\w-]*$/);
      const json = Buffer.from(told, "base64url").toString();
      assert.deepEqual(JSON.parse(json), JSON.parse(JSON.stringify(said)));
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("no message breaks out of the challenge or its quotes", async () => {
  await fc.assert(
    fc.asyncProperty(text, async (message) => {
      const { response, served } = await asked(() =>
        Promise.reject(new RekeyError("expired", message))
      );
      assert.deepEqual([response.status, served.bug], [401, undefined]);
      const challenge = response.headers.get("www-authenticate")!;
      assert.match(
        challenge,
        /^Bearer realm="rekey", error="invalid_token", error_description="[^"\\]*"$/,
      );
      assert.match(challenge, /^[\x20-\x7e]*$/);
    }),
    { numRuns: 1_000 },
  );
});
