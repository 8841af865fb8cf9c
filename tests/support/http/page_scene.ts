import assert from "node:assert/strict";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { Verifier } from "../deliver/verifier.ts";
import { Box } from "../process/box.ts";
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
