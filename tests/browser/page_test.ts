import assert from "node:assert/strict";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { Box } from "../support/process/box.ts";
import { Browsing } from "../support/http/browser.ts";
import { Serving } from "../support/http/serving.ts";
import { HANG_MS } from "../support/timing/pause.ts";

// `deno task screenshots` sets it: the pictures in docs/ are of a real server.
const PICTURES = Deno.env.get("REKEY_SCREENSHOTS");

/** A secret with a little history, and a token of each kind. */
async function scene(box: Box) {
  await box.run(["init"]);
  const retired = await box.token("alice");
  await box.run(["rotate", "--force", "--reason", "employee offboarding"]);
  const expired = await box.token("alice", "--ttl", "1s");
  const valid = await box.token("alice <b>", "--scope", "reports");
  while ((await box.run(["verify", expired])).code === 0) { /* a second is long */ }
  return { retired, expired, valid };
}

async function verdictOn(page: Page, token: string): Promise<string> {
  await page.click("#clear");
  await page.fill("#token", token);
  await page.click("#verify");
  const settled = page.locator("#verdict .headline", { hasText: /valid/ });
  await settled.waitFor();
  return await page.innerText("#verdict");
}

/** Waits until the page shows a version, without a reload. */
async function versionShown(page: Page, version: number): Promise<void> {
  await page.locator(`html[data-version="${version}"]`).waitFor({ timeout: HANG_MS });
}

for (const scheme of ["light", "dark"] as const) {
  Deno.test(`the page in ${scheme}: tokens of each kind, and a rotation seen without reload`, async () => {
    using box = new Box();
    const { retired, expired, valid } = await scene(box);
    await using serving = await Serving.start(box);
    await using browsing = await Browsing.open(serving.url, scheme);
    const { page, complaints } = browsing;
    await versionShown(page, 2);
    const { kid } = await box.json("status");
    assert.equal(await page.innerText("#kid"), kid);
    assert.equal(await page.innerText("#location"), "database");
    assert.equal(await page.innerText("#rotations-figure"), "1");

    assert.match(await verdictOn(page, retired), /not valid: retired_kid/);
    assert.match(await verdictOn(page, expired), /not valid: expired/);
    const accepted = await verdictOn(page, `  ${valid}\n`);
    assert.match(accepted, /^. valid\s+signed with version 2/);
    assert.match(accepted, /alice <b>/, "claims are text and no markup");
    assert.equal(new URL(page.url()).search, "", "the token is not in the address");
    await page.locator("#results-chart[aria-label*='retired_kid']").waitFor({ timeout: HANG_MS });
    if (PICTURES) {
      await page.screenshot({ path: join(PICTURES, `page-${scheme}.png`), fullPage: true });
    }

    await page.evaluate("globalThis.notReloaded = true");
    await box.run(["rotate", "--force", "--reason", "drill"]);
    await versionShown(page, 3);
    assert.equal(await page.evaluate("globalThis.notReloaded"), true);
    assert.match(await page.innerText("#audit"), /JWT secret rotation completed/);
    assert.match(await page.innerText("body"), /rotated: version 3 is current/);
    assert.match(await verdictOn(page, valid), /not valid: retired_kid/);
    assert.deepEqual(complaints, { console: [], policy: [] });
  });
}

Deno.test("the page shows the prepared version, and from when it can be activated", async () => {
  using box = new Box();
  await scene(box);
  await using serving = await Serving.start(box);
  await using browsing = await Browsing.open(serving.url, "light");
  const { page, complaints } = browsing;
  const shown = (text: RegExp | string) =>
    page.locator("#prepared", { hasText: text }).waitFor({ timeout: HANG_MS });
  await versionShown(page, 2);
  await shown("none");
  const { kid } = await box.json("rotate", "--prepare", "--alg", "ES256");
  await shown(new RegExp(`version 3 \\(ES256, kid ${kid}\\); from 2.* on`));
  await box.json("rotate", "--activate", "--force");
  await box.json("rotate", "--prepare", "--alg", "HS512");
  await shown(/version 4 \(HS512, kid .*\); can be activated/);
  assert.deepEqual(complaints, { console: [], policy: [] });
});

Deno.test("the page with the keyboard alone", async () => {
  using box = new Box();
  const { valid } = await scene(box);
  await using serving = await Serving.start(box);
  await using browsing = await Browsing.open(serving.url, "light", 320);
  const { page, complaints } = browsing;
  await versionShown(page, 2);
  const focused = () =>
    page.evaluate("document.activeElement.id || document.activeElement.className");
  await page.keyboard.press("Tab");
  assert.equal(await focused(), "skip");
  for (let tabs = 0; await focused() !== "token"; tabs++) {
    assert.ok(tabs < 20, "the box is reached with Tab");
    await page.keyboard.press("Tab");
  }
  await page.keyboard.insertText(valid);
  await page.keyboard.press("Control+Enter");
  await page.locator("#verdict .headline", { hasText: /^. valid/ }).waitFor();
  // Nothing stands out of a narrow screen.
  const overflow = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
  assert.ok(overflow as number <= 0, `${overflow} px too wide`);
  assert.deepEqual(complaints, { console: [], policy: [] });
});

Deno.test("every chart says its figures in words", async () => {
  using box = new Box();
  await scene(box);
  await using serving = await Serving.start(box);
  await using browsing = await Browsing.open(serving.url, "light");
  const { page } = browsing;
  await versionShown(page, 2);
  for (const id of ["rotations-chart", "results-chart", "fallback-chart"]) {
    assert.equal(await page.getAttribute(`#${id}`, "role"), "img");
    assert.match(await page.getAttribute(`#${id}`, "aria-label") ?? "", /\d|none yet/, id);
  }
});

Deno.test("a server that is gone is reported as gone, and again when it is back", async () => {
  using box = new Box();
  await scene(box);
  await using first = await Serving.start(box);
  await using browsing = await Browsing.open(first.url, "light");
  const { page } = browsing;
  await versionShown(page, 2);
  assert.equal((await first.stop()).code, 0);
  await page.locator("#banner:not([hidden])").waitFor({ timeout: HANG_MS });
  assert.match(await page.innerText("#banner"), /Cannot reach rekey/);
  await using _second = await Serving.start(box, ["--listen", new URL(first.url).host]);
  await page.locator("#banner[hidden]").waitFor({ timeout: HANG_MS, state: "attached" });
});
