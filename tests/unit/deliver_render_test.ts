import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { isRekeyError } from "../../src/core/errors.ts";
import { Secret } from "../../src/core/secret.ts";
import type { DeliveredKey, DeliveredKeys } from "../../src/deliver/key_set.ts";
import { parsePreset } from "../../src/deliver/preset.ts";
import { builtIn, FORMAT_PRESETS, PRESET_NAMES } from "../../src/deliver/presets.ts";
import { type Content, type DeliveryParameters, render } from "../../src/deliver/render.ts";
import { checkTemplate, usesOtherKeys } from "../../src/deliver/templates.ts";

const NEXT_HOUR = Date.UTC(2030, 0, 1);

function key(secret = Secret.generate(), more: Partial<DeliveredKey> = {}): DeliveredKey {
  const { kid } = secret;
  return { kid, tokenKid: kid, alg: "HS512", keyForm: "text", secret, expiresAt: null, ...more };
}

const [current, prepared, previous] = [
  key(),
  key(undefined, { alg: "HS256" }),
  key(undefined, { expiresAt: NEXT_HOUR }),
];
const SET: DeliveredKeys = { current, prepared, previous: [previous] };

const text = async (content: Content, set = SET, parameters: DeliveryParameters = {}) =>
  new TextDecoder().decode(await render(content, set, { parameters }));

Deno.test("text is the current key alone, without a line end", async () => {
  assert.equal(await text({ format: "text" }), current.secret.reveal());
});

Deno.test("a raw key is delivered as its bytes, and as base64 on request", async () => {
  const raw = key(undefined, { keyForm: "raw" });
  const set = { current: raw, previous: [] };
  const bytes = raw.secret.hmacKey("raw");
  assert.deepEqual(await render({ format: "text" }, set), bytes);
  assert.equal(await text({ format: "text" }, set, { encoding: "base64" }), bytes.toBase64());
  await refused(render({ format: "env" }, set), "failed");
  await refused(render({ template: "{{current.text}}" }, set), "failed");
  await refused(render({ template: "{{#verifying}}{{text}}{{/verifying}}" }, set), "failed");
});

Deno.test("env has the previous and the next key beside the current one", async () => {
  assert.equal(
    await text({ format: "env" }, SET, { variable: "KEY" }),
    [
      `KEY=${current.secret.reveal()}`,
      `KEY_KID=${current.kid}`,
      "KEY_ALG=HS512",
      `KEY_PREVIOUS=${previous.secret.reveal()}`,
      `KEY_PREVIOUS_KID=${previous.kid}`,
      "KEY_PREVIOUS_ALG=HS512",
      `KEY_NEXT=${prepared.secret.reveal()}`,
      `KEY_NEXT_KID=${prepared.kid}`,
      "KEY_NEXT_ALG=HS256",
      "",
    ].join("\n"),
  );
});

Deno.test("a value that programs would read differently is no variable", async () => {
  const odd = key(Secret.imported('it\'s a "value" with $signs'));
  await refused(render({ format: "env" }, { current: odd, previous: [] }), "failed");
});

Deno.test("a key of jwks signs what the key itself signs", async () => {
  const { keys } = JSON.parse(await text({ format: "jwks" }));
  assert.deepEqual(keys.map(({ kid }: { kid: string }) => kid), [
    prepared.kid,
    current.kid,
    previous.kid,
  ]);
  const { k, ...rest } = keys[1];
  assert.deepEqual(rest, { kty: "oct", kid: current.kid, alg: "HS512", use: "sig" });
  const byJwk = createHmac("sha512", Uint8Array.fromBase64(k, { alphabet: "base64url" }));
  const byText = createHmac("sha512", current.secret.reveal());
  assert.equal(byJwk.update("x").digest("hex"), byText.update("x").digest("hex"));
});

Deno.test("json finds each key by its kid", async () => {
  const { current: kid, keys } = JSON.parse(await text({ format: "json" }));
  assert.equal(kid, current.kid);
  assert.equal(Object.keys(keys).length, 3);
  assert.equal(keys[prepared.kid].alg, "HS256");
  assert.equal(keys[previous.kid].expires_at, "2030-01-01T00:00:00.000Z");
  assert.equal(keys[current.kid].text, current.secret.reveal());
});

Deno.test("a template is filled without escapes", async () => {
  const template = "{{host}}|{{#verifying}}{{kid}} {{text}}{{^last}},{{/last}}{{/verifying}}";
  const list = [prepared, current, previous].map(({ kid, secret }) => `${kid} ${secret.reveal()}`);
  assert.equal(await text({ template }, SET, { host: "<a&b>" }), `<a&b>|${list.join(",")}`);
  assert.equal(await text({ template: "{{current.jwk.k}}" }), keyOf(current));
});

const keyOf = ({ secret }: DeliveredKey) =>
  secret.hmacKey("text").toBase64({ alphabet: "base64url", omitPadding: true });

Deno.test("a template that is wrong is refused before it is used", async () => {
  await checkTemplate("{{current.kid}} {{#previous}}{{hex}}{{/previous}} {{host}}", ["host"]);
  for (const wrong of ["{{kidd}}", "{{#verifying}}", "{{> other}}", "{{current.perm}}"]) {
    await refused(checkTemplate(wrong, []), "usage");
  }
});

Deno.test("a template is for many keys if it uses another one than the current", async () => {
  const many = ["{{#verifying}}{{kid}}{{/verifying}}", "{{ prepared.kid }}", "{{{prepared.text}}}"];
  const inside = "{{#current}}{{#previous}}{{hex}}{{/previous}}{{/current}}";
  for (const one of [...many, inside]) assert.ok(await usesOtherKeys(one), one);
  // A remark of braces, in which a pattern would begin at each.
  const long = `{{! ${"{".repeat(2 ** 21)}}}`;
  for (const one of ["{{current.kid}}", "{{! {{prepared }}", "verifying", long]) {
    assert.ok(!await usesOtherKeys(one), one.slice(0, 20));
  }
});

const PRESET = {
  name: "an-example",
  summary: "for this test",
  program: "none",
  role: "verifier",
  keys: "many",
  algorithms: ["HS256"],
  reload_kind: "reload",
  connections: "none",
  template: "{{#verifying}}{{kid}}\n{{/verifying}}",
  parameters: { host: { about: "a host", default: "127.0.0.1" } },
  reload: { command: ["reload", "{{host}}", "{{path}}"] },
  probe: { command: ["probe", "{{token}}"], accepted: [0], refused: [1] },
};

Deno.test("a preset's parts and templates are checked", async () => {
  assert.deepEqual(await parsePreset(PRESET), PRESET);
  const wrong = [
    { ...PRESET, unknown: 1 },
    { ...PRESET, format: "jwks" },
    { ...PRESET, template: undefined },
    { ...PRESET, mode: "0644" },
    { ...PRESET, layout: "folder" },
    { ...PRESET, reload: { command: ["reload", "{{port}}"] } },
    { ...PRESET, reload: { command: ["reload", "{{token}}"] } },
    { ...PRESET, reload: { socket: "/s", dialogue: [{ send: "x", expect: "(" }] } },
  ];
  for (const value of wrong) await refused(parsePreset(value), "usage");
});

Deno.test("every built-in preset is valid, and named as its module", async () => {
  const names = [...PRESET_NAMES, ...FORMAT_PRESETS.map(({ name }) => name)];
  assert.ok(names.length >= 4);
  for (const name of names) {
    const preset = await builtIn(name);
    assert.equal((await parsePreset(JSON.parse(JSON.stringify(preset)))).name, name);
  }
  assert.equal(await builtIn("none"), undefined);
});

async function refused(work: Promise<unknown>, code: "usage" | "failed"): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(isRekeyError(error, code), String(error));
    return true;
  });
}
