import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { Browsing, endBrowser, NO_COMPLAINTS } from "../support/http/browser.ts";
import { overflow, shown } from "../support/http/page_scene.ts";
import { Serving } from "../support/http/serving.ts";
import type { Box } from "../support/process/box.ts";
import { initialised } from "../support/process/initialised.ts";
import { HANG_MS } from "../support/timing/pause.ts";

Deno.test.afterAll(endBrowser);

type Json = Record<string, unknown>;

/** A test with a real page, whose server tells something made up. The browser outlives it. */
function looking(
  name: string,
  told: (status: Json) => { status: Json; audit?: Json },
  look: (page: Page, browsing: Browsing, box: Box) => Promise<void>,
): void {
  const fn = async () => {
    using box = await initialised();
    await using serving = await Serving.start(box, ["--workers", "1"]);
    await using browsing = await Browsing.open(serving.url);
    const { page } = browsing;
    const { status, audit } = told(await (await serving.get("/status.json")).json());
    await page.route("**/status.json", (route) => route.fulfill({ json: status }));
    if (audit) await page.route("**/audit.json*", (route) => route.fulfill({ json: audit }));
    await page.reload();
    await page.locator("html[data-version]").waitFor({ timeout: HANG_MS });
    await look(page, browsing, box);
  };
  Deno.test({ name, sanitizeOps: false, sanitizeResources: false, fn });
}

const MARKUP = `<img src=x onerror="document.title='bad'"><b>'"&amp;`;
const UNSEEN = "a\u202eb\u0000c\u2066d\u2028e";
const SHOWN = "a\\u{202e}b\\u{0}c\\u{2066}d\\u{2028}e";
const HOSTILE = `${MARKUP}${UNSEEN} ${"W".repeat(5_000)} ${"long ".repeat(1_000)}`;

/** The state, with a hostile text wherever someone else chooses the text. */
function hostile(status: Json) {
  const time = status.time;
  const rotation = { version: 1, time, actor: HOSTILE, reason: HOSTILE };
  const member = {
    name: HOSTILE,
    version: 1,
    change: 1,
    rekey: HOSTILE,
    deliveries_behind: HOSTILE,
  };
  const lags = { followed: false, lag_seconds: 5 };
  const held = { program: HOSTILE, pid: 1, version: 1, state: "ended", until: null };
  const row = { seq: 9, time, event: HOSTILE, version: 1, location: "database", duration: 1 };
  return {
    status: {
      ...status,
      app: "a".repeat(64),
      findings: [{ code: "code", level: "wrong", text: HOSTILE }],
      rotations: [rotation],
      deliveries: [{ name: HOSTILE, version: 1, ...lags }],
      fleet: { change: 1, members: [{ ...member, ...lags }] },
      audit_sinks: [{ sink: HOSTILE, lag_rows: 1, lag_seconds: 1, failed: true }],
      stale_processes: [held],
      audit: [{ ...row, actor: HOSTILE, reason: HOSTILE }],
    },
    audit: { rows: [{ ...row, actor: HOSTILE, reason: HOSTILE }], before: null },
  };
}

looking(
  "whatever a name or a reason is, it stays a text in its place",
  hostile,
  async (page, { complaints }) => {
    await shown(page, "#audit tr", "<img");
    for (const part of ["#findings", "#rotations", "#followers", "#audit"]) {
      const text = await page.innerText(part);
      assert.ok(text.includes(MARKUP + SHOWN), `${part}: ${text.slice(0, 200)}`);
      assert.doesNotMatch(text, /[\u202a-\u202e\u2028\u2066-\u2069\0]/);
    }
    assert.equal(await page.locator("img, b, main script").count(), 0);
    assert.doesNotMatch(await page.title(), /bad/);
    for (const width of [390, 768, 1280, 1920]) {
      await page.setViewportSize({ width, height: 800 });
      assert.ok(await overflow(page) <= 0, `${width}: ${await overflow(page)} px too wide`);
    }
    const { height } = (await page.locator("#now").boundingBox())!;
    assert.ok(height < 1_000, `one text takes ${height} px`);
    assert.deepEqual(complaints, NO_COMPLAINTS);
  },
);

looking(
  "no other site can frame the page, and no text can become markup or a script",
  (status) => ({ status }),
  async (page, { complaints }) => {
    const { headers } = await fetch(page.url());
    const policy = headers.get("content-security-policy") ?? "";
    for (const rule of ["default-src 'none'", "frame-ancestors 'none'", "form-action 'none'"]) {
      assert.ok(policy.includes(rule), rule);
    }
    assert.doesNotMatch(policy, /unsafe|\*|https?:|data:/);
    await assert.rejects(page.evaluate("document.body.innerHTML = '<b>'"), /TrustedHTML/);
    // Not even a page of its own.
    await page.goto(new URL("/healthz", page.url()).href);
    await page.evaluate(`new Promise((loaded) => {
      const frame = document.createElement("iframe");
      frame.src = "/";
      frame.onload = loaded;
      document.body.append(frame);
    })`);
    const [, framed] = page.frames();
    assert.equal(await framed!.locator("h1:has-text('rekey')").count(), 0);
    assert.match(complaints.console.join(), /frame-ancestors 'none'/);
    assert.deepEqual(complaints.elsewhere, []);
  },
);

/** Many of everything. */
function crowd(status: Json) {
  const many = <T>(count: number, make: (n: number) => T) =>
    Array.from({ length: count }, (_, n) => make(n));
  const follows = { followed: true, lag_seconds: null };
  const server = { version: 1, change: 1, rekey: "0.1.0", deliveries_behind: null, ...follows };
  const until = status.time;
  return {
    status: {
      ...status,
      grace: many(20, (n) => ({ version: n + 2, kid: `kid-${n}`, alg: status.alg, until })),
      findings: many(50, (n) => ({ code: "file_mode", level: "note", text: `Finding ${n}` })),
      rotations: many(
        50,
        (n) => ({ version: n + 1, time: until, actor: "root@vm", reason: `${n}` }),
      ),
      deliveries: many(50, (n) => ({ name: `api-${n}`, version: 1, ...follows })),
      fleet: { change: 1, members: many(1_000, (n) => ({ name: `op@web-${n}`, ...server })) },
    },
  };
}

looking(
  "a thousand servers and fifty of all else hide no answer on a screen of 1,280 × 800",
  crowd,
  async (page, { complaints }) => {
    await shown(page, "#followers-note", "All 1050 follow");
    const parts = ["#health-word", "#version", "#grace li", "#rotations tr", "#followers tr"];
    for (const part of parts) {
      const { y, height } = (await page.locator(part).first().boundingBox())!;
      assert.ok(y + height <= 800, `${part} ends at ${y + height}`);
    }
    assert.equal(await page.locator("#followers tr").count(), 1_050);
    assert.deepEqual(complaints, NO_COMPLAINTS);
  },
);

/** The element with the focus: what it is, and whether it is seen to have it. */
const FOCUSED = `(() => {
  const node = document.activeElement;
  const { top, bottom, left, right } = node.getBoundingClientRect();
  const bar = document.querySelector(".bar");
  const isCovered = !bar.contains(node) && getComputedStyle(bar).position === "sticky" &&
    top < bar.getBoundingClientRect().bottom && !node.classList.contains("skip");
  const style = getComputedStyle(node);
  const isMarked = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  const isSeen = bottom > 0 && top < innerHeight && right > 0 && left < innerWidth;
  const all = [...document.querySelectorAll("a, button, input, select, textarea, summary, [tabindex='0']")];
  return { place: all.indexOf(node), what: node.outerHTML.slice(0, 80), isCovered, isMarked, isSeen };
})()`;

interface Focused {
  readonly place: number;
  readonly what: string;
  readonly isCovered: boolean;
  readonly isMarked: boolean;
  readonly isSeen: boolean;
}

looking(
  "Tab reaches every control, each is seen to have the focus, and none is under the bar",
  (status) => ({ status }),
  async (page) => {
    await shown(page, "#log-note", /^Rows/);
    const reachable = await page.evaluate(`
      [...document.querySelectorAll("a, button, input, select, textarea, summary, [tabindex='0']")]
        .flatMap((node, place) => node.checkVisibility() && !node.disabled ? [place] : [])`) as number[];
    const reached = new Set<number>();
    for (let tabs = 0; tabs < reachable.length; tabs++) {
      await page.keyboard.press("Tab");
      const { place, what, isCovered, isMarked, isSeen } = await page.evaluate(FOCUSED) as Focused;
      assert.ok(isMarked && isSeen && !isCovered, `${what}: ${isMarked} ${isSeen} ${isCovered}`);
      reached.add(place);
    }
    assert.deepEqual([...reached].sort((a, b) => a - b), reachable);
  },
);
