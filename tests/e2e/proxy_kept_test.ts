import assert from "node:assert/strict";
import { KEPT } from "../support/proxy/proxy_kinds.ts";
import { Site } from "../support/proxy/site.ts";
import { pause, until } from "../support/timing/pause.ts";

// As docs/proxies.md says: one second, which nginx counts in whole ones.
const LONGEST_MS = 2_000;

Deno.test("nginx that keeps answers: each token has its own, and refusals are not kept", async () => {
  await using site = await Site.open(KEPT);
  const [alice, bob] = [await site.box.token("alice"), await site.box.token("bob")];
  for (let n = 0; n < 3; n++) {
    for (const [token, name] of [[alice, "alice"], [bob, "bob"]] as const) {
      const { headers } = await site.passes(site.get(token));
      assert.equal(headers["x-auth-subject"], name);
      assert.ok(headers["x-auth-claims"]);
    }
    await site.refused(site.get(), 401);
    await site.refused(site.get(`${alice}x`), 401);
  }
  const asked = () => site.serving.stdout.match(/"route":"\/auth"/g)?.length ?? 0;
  await until(async () => {
    await site.passes(site.get(alice));
    const before = asked();
    await site.passes(site.get(alice));
    await site.refused(site.get(), 401);
    // The refusal's line comes after that of the answer before it.
    await site.serving.until(() => asked() > before);
    return asked() === before + 1;
  }, { every: 5, otherwise: "rekey is asked each time" });
});

Deno.test("nginx that keeps answers: of two tokens the application gets the one that was checked", async () => {
  await using site = await Site.open(KEPT);
  const token = await site.box.token("alice");
  for (let n = 0; n < 3; n++) {
    const second: [string, string][] = [["Authorization", "Bearer other"]];
    const { status } = await site.get(token, { headers: second });
    assert.ok([200, 400, 401].includes(status), String(status));
    await site.passes(site.get(token));
  }
  for (const { headers } of site.upstream.reached) {
    assert.equal(headers["authorization"], `Bearer ${token}`);
  }
});

Deno.test("nginx that keeps answers: an ended token is accepted for two seconds at most", async () => {
  await using site = await Site.open(KEPT);
  const token = await site.box.token("alice");
  await site.passes(site.get(token));
  assert.equal((await site.box.run(["rotate", "--force"])).code, 0);
  const end = performance.now();
  let last = end;
  for (let status = 200; status === 200; await pause(20)) {
    const begun = performance.now();
    ({ status } = await site.get(token));
    if (status === 200) last = begun;
    else assert.equal(status, 401);
  }
  assert.ok(last - end <= LONGEST_MS, `accepted ${last - end} ms after the rotation`);
  await site.refused(site.get(token), 401);
});
