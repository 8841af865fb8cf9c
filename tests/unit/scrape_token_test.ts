import assert from "node:assert/strict";
import { join } from "node:path";
import { LONGEST_INPUT } from "../../src/files/files.ts";
import { checkScrapeToken, ScrapeToken } from "../../src/serve/scrape_token.ts";
import { isRekeyError } from "../../src/core/errors.ts";
import { status } from "../../src/http/routes/state.ts";
import type { Call } from "../../src/http/route.ts";

const TOKEN = `${"a1-._~+/".repeat(6)}==`;

/** A file for a token, and what a server that reads it says. */
function scraped() {
  const folder = Deno.makeTempDirSync();
  const path = join(folder, "scrape.token");
  const warnings: string[] = [];
  const token = new ScrapeToken(path, (why) => warnings.push(why));
  const write = (content: string | Uint8Array) => {
    Deno.writeFileSync(
      path,
      typeof content === "string" ? new TextEncoder().encode(content) : content,
      { mode: 0o600 },
    );
  };
  const remove = () => Deno.removeSync(path, { recursive: true });
  const dispose = () => Deno.removeSync(folder, { recursive: true });
  return { path, warnings, token, write, remove, [Symbol.dispose]: dispose };
}

Deno.test("a scraper's token may have white space and a byte order mark around it, and is compared as a whole", () => {
  using file = scraped();
  for (const content of [TOKEN, `${TOKEN}\n`, ` ${TOKEN}\r\n\r\n`, `\ufeff${TOKEN}\n`]) {
    file.write(content);
    checkScrapeToken(file.path);
    assert.ok(file.token.is(TOKEN));
    for (
      const other of ["", TOKEN.slice(1), TOKEN.slice(0, -1), `${TOKEN}=`, TOKEN.toUpperCase()]
    ) {
      assert.ok(!file.token.is(other), other);
    }
  }
  assert.deepEqual(file.warnings, []);
});

Deno.test("a file that a server cannot take a scraper's token from lets no one in, and is told of once", () => {
  using file = scraped();
  const none = "it does not hold one token";
  const bad: [why: string, make: () => void][] = [
    ["it does not exist", () => {}],
    ["it is a folder", () => Deno.mkdirSync(file.path)],
    [none, () => file.write("")],
    [none, () => file.write("\n")],
    [none, () => file.write(TOKEN.slice(0, 31))],
    [none, () => file.write(`${TOKEN}\n${TOKEN}\n`)],
    [none, () => file.write(Uint8Array.of(0xff, 0xfe, ...utf16(TOKEN)))],
    [none, () => file.write(Uint8Array.of(...utf8(TOKEN), 0xe9))],
    [none, () => file.write(`${TOKEN}\0`)],
    ["it is larger than", () => file.write(new Uint8Array(LONGEST_INPUT + 1).fill(0x61))],
  ];
  if (Deno.build.os !== "windows") {
    bad.push(["it is a pipe", () => pipe(file.path)], ["other users can read it", () => {
      file.write(TOKEN);
      Deno.chmodSync(file.path, 0o640);
    }]);
  }
  for (const [why, make] of bad) {
    make();
    file.warnings.length = 0;
    for (const guess of [TOKEN, "", "undefined", TOKEN]) assert.ok(!file.token.is(guess), why);
    const [warning = "", ...more] = file.warnings;
    assert.ok(warning.includes(why), `${why}: ${warning}`);
    assert.ok(!warning.includes(TOKEN.slice(0, 16)));
    assert.deepEqual(more, []);
    assert.throws(() => checkScrapeToken(file.path), (error) => isRekeyError(error));
    if (why !== "it does not exist") file.remove();
    // It works again as soon as the file does.
    file.write(TOKEN);
    assert.ok(file.token.is(TOKEN));
    file.remove();
  }
});

Deno.test("the state for a scraper says that a rotation ended all sessions, but not whose and why", async () => {
  const rotation = { version: 2, time: "2026-01-01T00:00:00Z", actor: "eve@web-1", reason: "leak" };
  const ended = "Every session from before the rotation to version 2 by eve@web-1 (leak) has ended";
  const told = {
    rotations: [rotation],
    findings: [{ code: "sessions_ended", text: ended }, { code: "disk_low", text: "Full" }],
    audit: [rotation],
  };
  const call = { secretHost: { status: () => Promise.resolve(told) } } as unknown as Call;
  const { scraped } = status.bearer as { scraped(call: Call): Promise<Response> };
  const text = await (await scraped(call)).text();
  assert.doesNotMatch(text, /eve|leak/);
  const { findings, rotations } = JSON.parse(text);
  assert.match(findings[0].text, /^Every session .* has ended$/);
  assert.deepEqual([findings[1], rotations[0].version], [told.findings[1], 2]);
  assert.match(await (await status.handler(call)).text(), /eve.*leak/);
});

function pipe(path: string): void {
  new Deno.Command("mkfifo", { args: [path] }).outputSync();
}

const utf8 = (text: string) => new TextEncoder().encode(text);
const utf16 = (text: string) => [...utf8(text)].flatMap((byte) => [byte, 0]);
