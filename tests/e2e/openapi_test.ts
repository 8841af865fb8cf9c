import assert from "node:assert/strict";
import { Validator } from "@seriousme/openapi-schema-validator";
import { Ajv2020 } from "ajv/dist/2020.js";
import { Box } from "../support/process/box.ts";
import { PASSWORD } from "../support/http/logging_in.ts";
import { Serving } from "../support/http/serving.ts";
import { haveUsers } from "../support/store/users.ts";

// deno-lint-ignore no-explicit-any
type Json = any;

/** One request and the status that it must have. */
interface Case {
  readonly path: string;
  /** As the document names it, when that is another one. */
  readonly as?: string;
  readonly method?: string;
  readonly token?: string | undefined;
  readonly json?: unknown;
  readonly form?: Record<string, string>;
  readonly status: number;
}

/** Checks answers against the document. */
class Contract {
  readonly #ajv = new Ajv2020({ strict: false, validateFormats: false });
  readonly seen = new Set<string>();

  constructor(readonly document: Json) {
    this.#ajv.addSchema(document, "openapi");
  }

  async check({ path, as, method = "GET", status }: Case, response: Response): Promise<void> {
    const what = `${method} ${path} ${status}`;
    const text = await response.text();
    assert.equal(response.status, status, `${what}: ${text}`);
    const responses = this.document.paths[as ?? path][method.toLowerCase()].responses;
    const key = String(status) in responses ? String(status) : "default";
    assert.ok(key !== "default" || status >= 400, `${what} is not in the document`);
    const { content } = responses[key];
    this.seen.add(`${method} ${as ?? path}`);
    if (content === undefined) return assert.equal(text, "", what);
    const [type, { schema }] = Object.entries<Json>(content)[0]!;
    assert.equal(response.headers.get("content-type")?.split(";")[0], type, what);
    const value = type.endsWith("json") ? JSON.parse(text) : text;
    const valid = this.#ajv.validate(this.#resolved(schema), value);
    assert.ok(valid, `${what}: ${this.#ajv.errorsText()} in ${text}`);
  }

  #resolved(schema: Json): Json {
    return schema.$ref === undefined ? schema : { $ref: `openapi${schema.$ref}` };
  }
}

function send(serving: Serving, { path, method = "GET", token, json, form }: Case) {
  return fetch(`${serving.url}${path}`, {
    method,
    headers: {
      ...token === undefined ? {} : { authorization: `Bearer ${token}` },
      ...json === undefined ? {} : { "content-type": "application/json" },
    },
    ...json === undefined ? {} : { body: JSON.stringify(json) },
    ...form === undefined ? {} : { body: new URLSearchParams(form) },
  });
}

function casesFor(token: string, spare: string, admin: string): Case[] {
  const [post, wrong] = ["POST", "a.b.c"];
  return [
    { path: "/auth", token, status: 204 },
    { path: "/auth", token: wrong, status: 401 },
    { path: "/auth", status: 401 },
    { path: "/auth/any/thing", as: "/auth/{path}", token, status: 200 },
    { path: "/auth/any", as: "/auth/{path}", method: post, token: wrong, status: 401 },
    { path: "/verify", method: post, json: { token }, status: 200 },
    { path: "/verify", method: post, json: { token: wrong }, status: 401 },
    { path: "/verify", method: post, json: { token, aud: "x", iss: "y" }, status: 401 },
    { path: "/verify", method: post, json: { token: 5 }, status: 400 },
    { path: "/verify", method: post, form: { token }, status: 415 },
    { path: "/verdict", method: post, json: { token }, status: 200 },
    { path: "/verdict", method: post, json: { token: wrong }, status: 200 },
    { path: "/introspect", method: post, form: { token }, status: 200 },
    { path: "/introspect", method: post, form: { token: wrong }, status: 200 },
    { path: "/introspect", method: post, form: {}, status: 400 },
    { path: "/login", method: post, json: { name: "alice", password: PASSWORD }, status: 200 },
    { path: "/login", method: post, json: { name: "alice", password: "wrong" }, status: 401 },
    { path: "/login", method: post, json: { name: "eve", password: "x" }, status: 429 },
    { path: "/login", method: post, json: {}, status: 400 },
    { path: "/session", token, status: 200 },
    { path: "/session", status: 401 },
    { path: "/logout", method: post, token: spare, status: 204 },
    { path: "/logout", method: post, token: spare, status: 401 },
    { path: "/.well-known/jwks.json", status: 200 },
    { path: "/.well-known/openid-configuration", status: 200 },
    { path: "/healthz", status: 200 },
    { path: "/readyz", status: 200 },
    { path: "/metrics", status: 200 },
    { path: "/status.json", status: 200 },
    ...["/audit.json", "/audit.json?event=ROTATION&version=1&before=3&actor=x", "/history.json"]
      .map((path) => ({ path, as: path.split("?")[0]!, status: 200 })),
    { path: "/history.json?period=90d", as: "/history.json", status: 200 },
    ...[
      "/history.json?period=year",
      "/history.json?x=",
      "/audit.json?before=0",
      "/audit.json?since=x",
      // No such day, and no such hour.
      "/audit.json?since=2026-02-30T00:00Z",
      "/audit.json?since=2026-02-28T25:00Z",
    ]
      .map((path) => ({ path, as: path.split("?")[0]!, status: 400 })),
    { path: "/openapi.json", status: 200 },
    { path: "/", status: 200 },
    { path: "/page.css", status: 200 },
    { path: "/page.js", status: 200 },
    { path: "/uplot.css", status: 200 },
    { path: "/uplot.js", status: 200 },
    { path: "/favicon.ico", status: 204 },
    { path: "/rotate", method: post, token, status: 403 },
    { path: "/rotate", method: post, token: admin, json: { grace: "x" }, status: 400 },
    { path: "/rotate", method: post, token: admin, json: { grace: "1h" }, status: 200 },
    { path: "/status.json", status: 200 },
    { path: "/rotate", method: post, token: admin, status: 200 },
    { path: "/rotate", method: post, token: admin, status: 401 },
  ];
}

Deno.test("the OpenAPI document is valid, and every answer is as it says", async () => {
  using box = new Box();
  await box.run(["init", "--alg", "ES256"]);
  await haveUsers(box, ["alice"]);
  await using serving = await Serving.start(box, ["--issuer", "https://auth.example"]);
  const document = await (await serving.get("/openapi.json")).json();
  const { valid, errors } = await new Validator().validate(structuredClone(document));
  assert.ok(valid, JSON.stringify(errors));

  // As if someone had guessed at her password for a while.
  sql(box, `INSERT INTO rekey_throttle VALUES ('user', 'eve', 20, ${Date.now()})`);

  const contract = new Contract(document);
  const admin = await box.token("root", "--scope", "admin");
  for (const one of casesFor(await box.token(), await box.token(), admin)) {
    await contract.check(one, await send(serving, one));
  }
  await box.run(["destroy", "--force"]);
  // The figures of another period: those that were asked for are kept for five seconds.
  const history = "/history.json?period=day";
  for (const path of ["/auth", "/readyz", "/status.json", "/audit.json", history, "/session"]) {
    const one = { path, as: path.split("?")[0]!, token: admin, status: 503 };
    await contract.check(one, await send(serving, one));
  }
  const described = Object.entries<Json>(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`)
  );
  assert.deepEqual([...contract.seen].sort(), described.sort(), "every route was asked");
});

Deno.test("the metrics can be read by Prometheus' parser, and count what happened", async () => {
  using box = new Box();
  await box.run(["init"]);
  await using serving = await Serving.start(box, ["--workers", "3"]);
  const token = await box.token("alice-in-no-label");
  for (let i = 0; i < 30; i++) await serving.auth(token);
  for (let i = 0; i < 10; i++) await serving.auth(`${token}x`);
  await box.run(["rotate", "--force"]);
  const { kid } = await box.json("status");
  const text = await (await serving.get("/metrics")).text();
  const parsed = await box.exec("python3", ["-c", PARSER], { stdin: text });
  assert.equal(parsed.code, 0, parsed.stderr);
  const samples: Record<string, number> = JSON.parse(parsed.stdout);
  assert.equal(samples['rekey_verifications_total{"result": "valid"}'], 30);
  assert.equal(samples['rekey_verifications_total{"result": "malformed"}'], 10);
  const route = '{"route": "/auth", "status": "204"}';
  assert.equal(samples[`rekey_http_requests_total${route}`], 30);
  assert.equal(samples['rekey_http_request_duration_seconds_count{"route": "/auth"}'], 40);
  assert.equal(samples["rekey_rotations_total{}"], 1);
  assert.equal(samples["rekey_current_version{}"], 2);
  assert.equal(samples["rekey_database_readable{}"], 1);
  assert.equal(samples["rekey_fallbacks_total{}"], 0);
  assert.ok(samples['rekey_retrievals_total{"location": "database"}']! >= 1);
  assert.ok(samples["rekey_current_version_age_seconds{}"]! >= 0);
  assert.ok(Object.keys(samples).some((name) => name.startsWith("rekey_build_info")));
  for (const word of ["alice", token, kid]) assert.ok(!text.includes(word), "in a label");
});

const PARSER = `
import json, sys
from prometheus_client.parser import text_string_to_metric_families
samples = {}
for family in text_string_to_metric_families(sys.stdin.read()):
    for sample in family.samples:
        samples[sample.name + json.dumps(sample.labels, sort_keys=True)] = sample.value
print(json.dumps(samples))
`;
import { sql } from "../support/store/sql.ts";
