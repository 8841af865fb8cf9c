import assert from "node:assert/strict";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { Verifier } from "../deliver/verifier.ts";
import { Box } from "../process/box.ts";
import { sql } from "../store/sql.ts";
import { HANG_MS } from "../timing/pause.ts";
import { Serving } from "./serving.ts";

/** How many tokens of the scene have been accepted and refused over HTTP. */
export const ASKED = { valid: 7, refused: 1 };

/** A server with a history, to look at: a program that follows and one that lags, and a rotation with a grace period. */
export class Scene implements AsyncDisposable {
  private constructor(
    readonly box: Box,
    readonly serving: Serving,
    private readonly program: Verifier,
    /** Its version was rotated away. */
    readonly retired: string,
    /** Of the current version, with markup in its subject. */
    readonly valid: string,
  ) {}

  static async make(): Promise<Scene> {
    const box = new Box();
    assert.equal((await box.run(["init"])).code, 0);
    const serving = await Serving.start(box, ["--workers", "1"]);
    const path = join(box.home, "api.json");
    const program = await Verifier.start(path);
    const add = ["--format", "jwks", "--path"];
    await box.run(["deliver", "add", "api", ...add, path, "--probe-url", program.url]);
    const retired = await box.token("alice");
    await box.run(["rotate", "--force", "--reason", "employee offboarding"]);
    await box.run(["rotate", "--force", "--grace", "20h", "--reason", "quarterly rotation"]);
    const away = ["--probe-url", "http://127.0.0.1:1/"];
    await box.run(["deliver", "add", "billing", ...add, join(box.home, "billing.json"), ...away]);
    const valid = await box.token("alice <b>", "--scope", "reports");
    const scene = new Scene(box, serving, program, retired, valid);
    await scene.#ask();
    return scene;
  }

  async #ask(): Promise<void> {
    for (let n = 0; n < ASKED.valid; n++) assert.equal(await this.serving.auth(this.valid), 204);
    for (let n = 0; n < ASKED.refused; n++) {
      assert.equal(await this.serving.auth(this.retired), 401);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.serving[Symbol.asyncDispose]();
    await this.program[Symbol.asyncDispose]();
    this.box[Symbol.dispose]();
  }
}

/** An hour of made-up requests before now, for pictures: a busy server, and refusals when sessions ended. */
export function makeUpHistory(box: Box): void {
  const end = Math.floor(Date.now() / 60_000) * 60_000;
  const totals = { valid: 41_873, refused: 212, retrievals: 96, fallbacks: 3 };
  const { valid, refused, retrievals, fallbacks } = totals;
  sql(box, `UPDATE rekey_verifications SET count = iif(result = 'valid', ${valid}, ${refused})`);
  sql(
    box,
    `DELETE FROM rekey_audit_counts WHERE event LIKE '%retrieved%';
     INSERT INTO rekey_audit_counts VALUES
       ('JWT secret retrieved from database (fallback)', 'keyring', ${fallbacks}),
       ('JWT secret retrieved from keyring', 'keyring', ${retrievals - fallbacks});
     DELETE FROM rekey_history`,
  );
  const left = { ...totals };
  for (let ago = 0; ago <= 61; ago++) {
    const p50 = 1.9 + 0.3 * Math.sin(ago / 3);
    const p95 = p50 * (ago % 17 === 5 ? 7 : 2.6);
    const { valid, refused, retrievals, fallbacks } = left;
    sql(
      box,
      `INSERT INTO rekey_history VALUES ('minute', ${end - ago * 60_000}, 0, ${valid}, ${refused},
       ${retrievals}, ${fallbacks}, ${ago === 0 ? 2 : 0}, ${p50}, ${p95})`,
    );
    left.valid -= Math.round(640 + 180 * Math.sin(ago / 9));
    left.refused -= ago >= 20 && ago < 24 ? 45 : ago % 3 === 0 ? 1 : 0;
    left.retrievals -= ago % 2;
    left.fallbacks -= [21, 22, 40].includes(ago) ? 1 : 0;
  }
}

/** Waits until the page shows a version, without a reload. */
export async function versionShown(page: Page, version: number): Promise<void> {
  await page.locator(`html[data-version="${version}"]`).waitFor({ timeout: HANG_MS });
}

/** Waits until a part of the page has a text. */
export async function shown(page: Page, selector: string, text: string | RegExp): Promise<void> {
  await page.locator(selector, { hasText: text }).first().waitFor({ timeout: HANG_MS });
}

/** How far the page is wider than its window, in pixels. */
export function overflow(page: Page): Promise<number> {
  return page.evaluate("document.documentElement.scrollWidth - innerWidth");
}

/** Words of a table's cells that are broken: their letters are not on one line. */
export function brokenWords(page: Page): Promise<string[]> {
  return page.evaluate(`[...document.querySelectorAll("td, tbody th")].flatMap((cell) => {
    const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    const broken = [];
    for (let node = texts.nextNode(); node !== null; node = texts.nextNode()) {
      for (const { index, 0: word } of node.data.matchAll(/[\\p{L}\\p{N}]+/gu)) {
        const range = document.createRange();
        range.setStart(node, index);
        range.setEnd(node, index + word.length);
        const lines = new Set([...range.getClientRects()].map(({ bottom }) => Math.round(bottom)));
        if (lines.size > 1) broken.push(word);
      }
    }
    return broken;
  })`);
}
