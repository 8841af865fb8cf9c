import assert from "node:assert/strict";
import { join } from "node:path";
import axe from "axe-core";
import type { Page } from "playwright-core";
import { TOKEN_FAULTS } from "../../src/core/errors.ts";
import { inWords } from "../../src/http/page/text.js";
import { Browsing, endBrowser, NO_COMPLAINTS } from "../support/http/browser.ts";
import {
  ASKED,
  brokenWords,
  makeUpHistory,
  overflow,
  Scene,
  shown,
  versionShown,
} from "../support/http/page_scene.ts";
import { sample } from "../support/process/sample.ts";
import { Serving } from "../support/http/serving.ts";
import { HANG_MS, until } from "../support/timing/pause.ts";

// `deno task screenshots` sets it: the pictures in docs/ are of a real server.
const PICTURES = Deno.env.get("REKEY_SCREENSHOTS");

let scene: Scene;
Deno.test.beforeAll(async () => {
  scene = await Scene.make();
});
Deno.test.afterAll(async () => {
  await scene[Symbol.asyncDispose]();
  await endBrowser();
});

/** A test with a page of the scene. The browser outlives it. */
function looking(name: string, look: (browsing: Browsing) => Promise<void>): void {
  Deno.test({
    name,
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => {
      await using browsing = await Browsing.open(scene.serving.url);
      await browsing.page.locator("html[data-version]").waitFor({ timeout: HANG_MS });
      await look(browsing);
    },
  });
}

/** Whether all of an element is seen without scrolling. */
async function isInView(page: Page, selector: string): Promise<boolean> {
  const box = await page.locator(selector).first().boundingBox();
  const { width, height } = page.viewportSize()!;
  return box !== null && box.x >= 0 && box.y >= 0 && box.x + box.width <= width &&
    box.y + box.height <= height;
}

looking(
  "is it healthy, who rotated when, which program lags: answered without scrolling",
  async ({ page, complaints }) => {
    await shown(page, "#health-word", "One thing is wrong");
    await shown(page, "#findings", "The program of billing has not followed");
    const status = await (await scene.serving.get("/status.json")).json();
    const newest = page.locator("#rotations tr").first();
    assert.match(await newest.innerText(), /^3\b.*quarterly rotation$/s);
    assert.ok((await newest.innerText()).includes(status.rotations.at(-1).actor));
    await shown(page, "#followers-note", /^1 of 2 lags: billing/);
    await shown(page, "#followers tr", /^billing.*lags/s);
    const rows = ["#rotations tr:nth-child(2)", "#followers tr:nth-child(2)"];
    for (const part of ["#health-word", "#findings li", ...rows, "#grace li"]) {
      assert.ok(await isInView(page, part), part);
    }
    await shown(page, "#grace", /version 2\s*ends in 19 hours/);
    assert.deepEqual(complaints, NO_COMPLAINTS);
  },
);

looking(
  "the figures of the last hour are those of what happened, as charts and as a table",
  async ({ page, complaints }) => {
    const { valid, refused } = ASKED;
    const rate = `${(100 * valid / (valid + refused)).toFixed(1)} %`;
    await shown(page, "#success-figure", rate);
    await shown(page, "#rotation-figure", "2");
    const label = await page.getAttribute("#success-chart", "aria-label") ?? "";
    assert.ok(label.includes(`${rate} of ${valid + refused} verifications`), label);
    await page.click("summary:has-text('as a table')");
    const cells = await page.locator("#figures tr").allInnerTexts();
    const sum = (column: number) =>
      cells.reduce((all, row) => all + Number(row.split("\t")[column]), 0);
    assert.deepEqual([sum(1), sum(2), sum(8)], [valid, refused, 2]);
    for (const period of ["Last day", "Last 90 days"]) {
      await page.click(`button:has-text("${period}")`);
      await page.locator(`#success-chart[aria-label*="${period.toLowerCase()}"]`).waitFor();
      assert.equal(await page.innerText("#success-figure"), rate);
    }
    for (const chart of ["success", "retrieval", "fallback", "rotation"]) {
      assert.equal(await page.locator(`#${chart}-chart canvas`).count(), 1, chart);
    }
    assert.deepEqual(complaints, NO_COMPLAINTS);
  },
);

Deno.test("every refusal has words beside its code", () => {
  const words = new Set(TOKEN_FAULTS.map(inWords));
  assert.equal(words.size, TOKEN_FAULTS.length);
  assert.ok(!words.has(inWords("unknown")), [...words].join());
});

looking(
  "everyone can use it: axe finds nothing, in both themes and at both widths",
  async ({ page, complaints }) => {
    await page.evaluate(axe.source);
    const looks = ["Light", "Dark"].flatMap((theme) =>
      [390, 1280].map((width) => ({ theme, width }))
    );
    // The first and the last of four: each theme, and each width.
    for (const { theme, width } of sample(looks, 3)) {
      await page.click(`button:has-text("${theme}")`);
      await page.setViewportSize({ width, height: 800 });
      // deno-lint-ignore no-explicit-any
      const { violations }: any = await page.evaluate("axe.run()");
      // deno-lint-ignore no-explicit-any
      const found = violations.map(({ id, nodes }: any) => `${id}: ${nodes[0].html}`);
      assert.deepEqual(found, [], `${theme} at ${width}`);
    }
    assert.deepEqual(complaints, NO_COMPLAINTS);
  },
);

looking("it fits every window, and no word of a table is broken", async ({ page }) => {
  for (const width of [320, 390, 700, 1100, 1280, 1920]) {
    await page.setViewportSize({ width, height: 800 });
    assert.ok(await overflow(page) <= 0, `${width}: ${await overflow(page)} px too wide`);
    assert.deepEqual(await brokenWords(page), [], String(width));
    await picture(page, width);
  }
});

async function picture(page: Page, width: number): Promise<void> {
  if (PICTURES === undefined || width !== 1280) return;
  makeUpHistory(scene.box);
  await page.reload();
  await page.locator("html[data-version]").waitFor({ timeout: HANG_MS });
  await shown(page, "#success-text", /\d\d,\d{3} verifications/);
  for (const theme of ["light", "dark"]) {
    await page.click(`[data-theme-choice="${theme}"]`);
    await page.screenshot({ path: join(PICTURES, `page-${theme}.png`) });
  }
}

looking(
  "the theme follows the system until one is chosen, and the choice stays",
  async ({ page }) => {
    const paper = () => page.evaluate("getComputedStyle(document.body).backgroundColor");
    const light = await paper();
    await page.emulateMedia({ colorScheme: "dark" });
    const dark = await paper();
    assert.notEqual(dark, light);
    await page.click("button:has-text('Light')");
    assert.equal(await paper(), light);
    await page.reload();
    assert.equal(await paper(), light);
    await page.click("button:has-text('System')");
    assert.equal(await paper(), dark);
  },
);

looking("the audit log has filters and pages", async ({ page, complaints }) => {
  const events = () => page.locator("#audit td[data-name=event]").allInnerTexts();
  await shown(page, "#log-note", /^Rows/);
  assert.equal((await events()).length, 20);
  while (await page.isEnabled("#older")) {
    const first = await page.locator("#audit th").first().innerText();
    await page.click("#older");
    // With the older rows the button is what it is for them.
    // Not by waitForFunction(), which the page's policy forbids unless its first look succeeds.
    await until(async () => {
      const [now = ""] = await page.locator("#audit th").allInnerTexts();
      return now !== "" && now !== first;
    });
  }
  await shown(page, "#log-note", /^Rows 1 to \d+; there are no older ones/);
  await page.click("#newer");
  await page.fill("#by-event", "rotation completed");
  await shown(page, "#log-note", /match; there are no older ones/);
  assert.deepEqual(await events(), Array(2).fill("JWT secret rotation completed"));
  await page.fill("#by-version", "2");
  await shown(page, "#log-note", /^Rows (\d+) to \1 match/);
  await page.fill("#by-version", "x");
  await shown(page, "#log-note", /version in its query is malformed.*\(400 bad_request\)/);
  await page.click("#all-rows");
  await shown(page, "#log-note", /^Rows \d+ to \d+$/);
  // What is refused on purpose, the browser reports.
  assert.deepEqual({ ...complaints, console: [] }, NO_COMPLAINTS);
});

async function verdictOn(page: Page, token: string): Promise<string> {
  await page.click("#clear");
  await page.fill("#token", token);
  await page.click("#verify");
  await page.locator("#verdict .headline", { hasText: /valid/ }).waitFor();
  return await page.innerText("#verdict");
}

looking("tokens of each kind, with the keyboard alone too", async ({ page, complaints }) => {
  const { valid, retired } = scene;
  assert.match(await verdictOn(page, retired), /not valid: retired_kid.*was rotated away/s);
  const accepted = await verdictOn(page, `  ${valid}\n`);
  assert.match(accepted, /^. valid\s+signed with version 3/);
  assert.match(accepted, /alice <b>/, "claims are text and no markup");
  assert.equal(new URL(page.url()).search, "", "the token is not in the address");
  await page.reload();
  const focused = () =>
    page.evaluate("document.activeElement.id || document.activeElement.className");
  await page.keyboard.press("Tab");
  assert.equal(await focused(), "skip");
  for (let tabs = 0; await focused() !== "token"; tabs++) {
    assert.ok(tabs < 50, "the box is reached with Tab");
    await page.keyboard.press("Tab");
  }
  await page.keyboard.insertText(valid);
  await page.keyboard.press("Control+Enter");
  await shown(page, "#verdict .headline", /^. valid/);
  assert.deepEqual(complaints, NO_COMPLAINTS);
});

looking(
  "a rotation is seen without reload, and so is what is prepared",
  async ({ page, complaints }) => {
    const { box } = scene;
    // It would be waited for.
    await box.run(["deliver", "remove", "billing"]);
    await shown(page, "#prepared", "None");
    await page.evaluate("globalThis.notReloaded = true");
    const { kid } = await box.json("rotate", "--prepare", "--alg", "ES256");
    await shown(
      page,
      "#prepared",
      new RegExp(`version 4 can be activated in .*ES256, kid ${kid}`, "s"),
    );
    await box.json("rotate", "--activate", "--force");
    await versionShown(page, 4);
    assert.equal(await page.evaluate("globalThis.notReloaded"), true);
    await shown(page, "#news", "Rotated: version 4 is current");
    await shown(page, "#audit tr", "JWT secret rotation completed");
    await shown(page, "#rotations tr", /^4/);
    await box.json("rotate", "--prepare", "--alg", "HS512");
    await shown(page, "#prepared", /version 5 can be activated.*HS512/s);
    assert.match(await verdictOn(page, scene.valid), /not valid: retired_kid/);
    assert.deepEqual(complaints, NO_COMPLAINTS);
  },
);

looking("a server that is gone is reported as gone, and again when it is back", async () => {
  const { box } = scene;
  await using first = await Serving.start(box, ["--listen", "127.0.0.1:0", "--workers", "1"]);
  await using browsing = await Browsing.open(first.url);
  const { page } = browsing;
  await page.locator("html[data-version]").waitFor({ timeout: HANG_MS });
  assert.equal((await first.stop()).code, 0);
  await shown(page, "#banner", "Cannot reach rekey");
  const again = ["--listen", new URL(first.url).host, "--workers", "1"];
  await using _second = await Serving.start(box, again);
  await page.locator("#banner[hidden]").waitFor({ timeout: HANG_MS, state: "attached" });
});
