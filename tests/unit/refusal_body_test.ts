import assert from "node:assert/strict";
import { refusalBody } from "../../src/cli/notices/webhook.ts";

const TOKEN = "xoxb-0123456789abcdef";
const ADDRESS = new URL(`https://chat.example/hooks/${TOKEN}`);

Deno.test("what a receiver says of its address is not shown, wherever the text is cut off", async () => {
  // Markup is not shown, so that what is at the cut can be.
  for (let before = 4_096 - ADDRESS.href.length - 8; before <= 4_096; before++) {
    const body = `<${"-".repeat(before - 2)}>${ADDRESS.href} is not known`;
    const shown = await refusalBody(new Response(body), ADDRESS);
    assert.ok(!shown.includes(TOKEN.slice(0, 8)), `${before}: a part of it is shown`);
  }
  assert.equal(await refusalBody(new Response(`no ${ADDRESS.href}`), ADDRESS), "no [address]");
});
