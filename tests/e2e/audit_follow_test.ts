import assert from "node:assert/strict";
import { start } from "../../scripts/program.ts";
import { type Box, REKEY } from "../support/process/box.ts";
import { initialised } from "../support/process/initialised.ts";
import { until } from "../support/timing/pause.ts";

/** `rekey audit follow`, as it goes on. */
function follow(box: Box, ...args: string[]) {
  const streams = { stdout: "piped", stderr: "inherit" } as const;
  const process = start(REKEY, ["audit", "follow", ...args], { ...box.surroundings(), ...streams });
  const following = { process, text: "" };
  (async () => {
    const texts = process.stdout.pipeThrough(new TextDecoderStream());
    for await (const text of texts) following.text += text;
  })();
  return following;
}

Deno.test("audit follow prints rows as they come, and ends well", async () => {
  using box = await initialised();
  const [people, programs] = [follow(box, "--after", "0"), follow(box, "--after", "1", "--json")];
  await until(() => people.text.includes("JWT secret created"));
  await box.run(["rotate", "--force", "--reason", "a\n2  forged"]);
  await until(() => people.text.includes("completed") && programs.text.includes("completed"));
  const exported = (await box.run(["audit", "export"])).stdout;
  assert.equal(programs.text, exported.split("\n").slice(1).join("\n"));
  const lines = people.text.split("\n").slice(0, -1);
  assert.equal(lines.length, exported.split("\n").length - 1);
  assert.match(
    lines.at(-1)!,
    /^4 {2}\S+ {2}JWT secret rotation completed {2}2 {2}database {2}.*a\\u\{a\}2 {2}forged$/,
  );
  for (const { process } of [people, programs]) {
    process.kill("SIGINT");
    assert.equal((await process.status).code, 0);
  }
});

Deno.test("audit follow ends when its reader has gone", async () => {
  using box = await initialised();
  const process = start(REKEY, ["audit", "follow", "--after", "0"], {
    ...box.surroundings(),
    stdout: "piped",
    stderr: "piped",
  });
  const reader = process.stdout.getReader();
  assert.match(new TextDecoder().decode((await reader.read()).value), /^1 {2}.*created/);
  await reader.cancel();
  await box.run(["rotate", "--force"]);
  assert.equal(await new Response(process.stderr).text(), "");
  // As a shell reports a program that wrote into a closed pipe.
  assert.equal((await process.status).code, 141);
});
