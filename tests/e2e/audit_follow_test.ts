import assert from "node:assert/strict";
import { start } from "../../scripts/program.ts";
import { logLines } from "../support/audit/log_lines.ts";
import { type Box, REKEY } from "../support/process/box.ts";
import { initialised } from "../support/process/initialised.ts";
import { until } from "../support/timing/pause.ts";

function following(box: Box, ...args: string[]): Deno.ChildProcess {
  const streams = { stdout: "piped", stderr: "inherit" } as const;
  return start(REKEY, ["audit", "follow", ...args], { ...box.surroundings(), ...streams });
}

/** What it prints, as it goes on. */
function printed({ stdout }: Deno.ChildProcess): { text: string } {
  const all = { text: "" };
  (async () => {
    for await (const text of stdout.pipeThrough(new TextDecoderStream())) all.text += text;
  })();
  return all;
}

Deno.test("audit follow prints rows as they come, and ends well", async () => {
  using box = await initialised();
  const [forPeople, forPrograms] = [
    following(box, "--after", "0"),
    following(box, "--after", "1", "--json"),
  ];
  const unread = following(box, "--after", "0");
  const [people, programs] = [printed(forPeople), printed(forPrograms)];
  await until(() => people.text.includes("JWT secret created"));
  const reader = unread.stdout.getReader();
  assert.match(new TextDecoder().decode((await reader.read()).value), /^1 {2}.*created/);
  await reader.cancel();
  await box.run(["rotate", "--force", "--reason", "a\n2  forged"]);
  await until(() => people.text.includes("completed") && programs.text.includes("completed"));
  assert.equal(programs.text, logLines(box, 2).map((line) => `${line}\n`).join(""));
  const lines = people.text.split("\n").slice(0, -1);
  assert.equal(lines.length, logLines(box).length);
  assert.match(
    lines.at(-1)!,
    /^4 {2}\S+ {2}JWT secret rotation completed {2}2 {2}database {2}.*a\\u\{a\}2 {2}forged$/,
  );
  for (const process of [forPeople, forPrograms]) {
    process.kill("SIGINT");
    assert.equal((await process.status).code, 0);
  }
  // Its reader has gone: as a shell reports a program that wrote into a closed pipe.
  assert.equal((await unread.status).code, 141);
});
