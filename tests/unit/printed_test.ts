import assert from "node:assert/strict";
import { printed } from "../support/process/printed.ts";

/** A program's output that never ends, and whether it was closed. */
function endless() {
  let isClosed = false;
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull: (controller) => controller.enqueue(new TextEncoder().encode("again and again\n")),
    cancel: () => void (isClosed = true),
  });
  return { stream, isClosed: () => isClosed };
}

Deno.test("what a program prints is waited for, and not without a limit", async () => {
  const before = endless();
  await assert.rejects(printed(before.stream, "never", 1_000), /more than 1000 characters/);
  assert.ok(before.isClosed());
  const after = endless();
  const rest = await printed(after.stream, "again", 1_000);
  await assert.rejects(rest(), /more than 1000 characters/);
  assert.ok(after.isClosed());
});

Deno.test("what a program prints is all of it, once it has ended", async () => {
  const rest = await printed(new Response("one\ntwo\nthree\n").body!, "two");
  assert.equal(await rest(), "one\ntwo\nthree\n");
});
