import assert from "node:assert/strict";
import axe from "axe-core";
import type { Page } from "playwright-core";
import { Browsing, endBrowser, NO_COMPLAINTS } from "../support/http/browser.ts";
import { certify, tlsFlags } from "../support/http/certificates.ts";
import { overflow, shown, versionShown } from "../support/http/page_scene.ts";
import { Serving } from "../support/http/serving.ts";
import type { Box } from "../support/process/box.ts";
import { initialised } from "../support/process/initialised.ts";
import { HANG_MS } from "../support/timing/pause.ts";

Deno.test.afterAll(endBrowser);

/** A page of a server that other machines can reach. */
async function atRemote(look: (page: Page, browsing: Browsing, box: Box) => Promise<void>) {
  using box = await initialised();
  const pair = await certify(box, "localhost");
  const remote = ["--listen", "0.0.0.0:0", "--allow-remote", "--workers", "1", ...tlsFlags(pair)];
  await using serving = await Serving.start(box, remote);
  const url = `https://localhost:${new URL(serving.url).port}/`;
  await using browsing = await Browsing.open(url, { trusting: true });
  await asksForToken(browsing.page);
  await look(browsing.page, browsing, box);
}

async function asksForToken(page: Page): Promise<void> {
  await page.locator("#entry:not([hidden])").waitFor({ timeout: HANG_MS });
}

async function enter(page: Page, token: string): Promise<void> {
  await page.fill("#access", token);
  await page.keyboard.press("Enter");
}

/** A test at the entry of a token. The browser outlives it. */
function looking(name: string, look: Parameters<typeof atRemote>[0]): void {
  Deno.test({ name, sanitizeOps: false, sanitizeResources: false, fn: () => atRemote(look) });
}

looking(
  "on a remote address it asks for a token, and keeps it in memory only",
  async (page, { complaints }, box) => {
    assert.ok(!await page.isVisible("#state"));
    assert.ok(!await page.isVisible(".bar nav"), "links that lead nowhere");
    await page.setViewportSize({ width: 390, height: 800 });
    assert.ok(await overflow(page) <= 0);
    await page.evaluate(axe.source);
    const found = await page.evaluate(
      "axe.run().then(({ violations }) => violations.map(({ id }) => id))",
    );
    assert.deepEqual(found, []);
    await enter(page, await box.token());
    await shown(page, "#entry-why", /lacks the scope metrics \(403 forbidden\)/);
    const token = await box.token("op", "--scope", "metrics");
    await enter(page, token);
    await versionShown(page, 1);
    await shown(page, "#success-figure", /none|%/);
    assert.ok(!await page.isVisible("#entry"));
    const kept = await page.evaluate(
      "JSON.stringify([localStorage, sessionStorage, document.cookie, location.href, history.state])",
    );
    assert.ok(!String(kept).includes(token));
    await page.fill("#token", token);
    // The browser may keep a page that is left, with its memory, for the Back button.
    await page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))");
    assert.equal(await page.inputValue("#token"), "");
    await asksForToken(page);
    await page.reload();
    await asksForToken(page);
    assert.deepEqual({ ...complaints, console: [] }, NO_COMPLAINTS);
  },
);

looking(
  "a refused token is sent once: each time would count as a refusal, and set off an alert",
  async (page, _, box) => {
    const sent: string[] = [];
    page.on("request", (request) => {
      const { authorization } = request.headers();
      if (authorization !== undefined) sent.push(request.url());
    });
    const polled = () => page.waitForResponse(/status\.json/, { timeout: HANG_MS });
    await enter(page, "p\u0430ssword");
    await shown(page, "#entry-why", "That is not one token");
    await polled();
    assert.deepEqual(sent, []);
    assert.ok(!await page.isVisible("#banner"));
    await enter(page, await box.token("op", "--scope", "metrics"));
    await versionShown(page, 1);
    await shown(page, "#success-figure", /none|%/);
    await box.run(["rotate", "--force"]);
    await shown(page, "#entry-why", /rotated away.*\(401 retired_kid\)/);
    await shown(page, "#banner", /last seen .*\(401 retired_kid\)/);
    sent.length = 0;
    await polled();
    await polled();
    assert.deepEqual(sent, []);
    await shown(page, "#entry-why", /\(401 retired_kid\)/);
    await enter(page, await box.token("op", "--scope", "metrics"));
    await versionShown(page, 2);
    await page.locator("#banner[hidden]").waitFor({ timeout: HANG_MS, state: "attached" });
  },
);
