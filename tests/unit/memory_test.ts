import assert from "node:assert/strict";
import { readJson } from "../../src/http/body.ts";
import { newKek } from "../../src/store/sealed/kek.ts";

const isWiped = (bytes: Uint8Array) => bytes.length > 0 && bytes.every((byte) => byte === 0);

/** A command that prints the same each time, and everything that it has printed. */
function printing(given: Uint8Array): [run: () => Promise<Uint8Array>, all: Uint8Array[]] {
  const all: Uint8Array[] = [];
  const run = () => Promise.resolve(all[all.push(given.slice()) - 1]!);
  return [run, all];
}

Deno.test("a KEK goes on in a key that nothing prints; the bytes that it came in are overwritten", async () => {
  const text = new TextEncoder().encode("ab".repeat(32));
  for (const given of [new Uint8Array(32).fill(7), text]) {
    const [run, all] = printing(given);
    const { kek } = await newKek({ command: "x", run }, "/none", "a");
    assert.ok(all.length > 0 && all.every(isWiped));
    const shown = `${Deno.inspect(kek, { depth: 9 })} ${JSON.stringify(kek)}`;
    const bytes = [...kek.key.export()];
    assert.ok(!shown.includes(bytes.slice(0, 8).join(", ")) && !shown.includes("abab"));
    assert.equal(bytes.length, 32);
  }
});

Deno.test("a passphrase is overwritten in memory", async () => {
  const given = new TextEncoder().encode("correct horse battery staple\n");
  const [run, all] = printing(given);
  await newKek({ passphraseCommand: "x", run }, "/none", "a");
  assert.ok(all.length > 0 && all.every(isWiped));
});

Deno.test("the parts of a body that may hold a password are overwritten", async () => {
  const body = { name: "alice", password: "correct horse battery staple" };
  const chunk = new TextEncoder().encode(JSON.stringify(body));
  const request = new Request("http://localhost/login", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: new ReadableStream({
      start(controller) {
        controller.enqueue(chunk);
        controller.close();
      },
    }),
  });
  assert.deepEqual(await readJson(request, "LoginRequest"), body);
  assert.ok(isWiped(chunk));
});
