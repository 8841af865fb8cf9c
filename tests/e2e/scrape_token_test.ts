import assert from "node:assert/strict";
import { join } from "node:path";
import type { Box } from "../support/process/box.ts";
import { certify, tlsFlags } from "../support/http/certificates.ts";
import { Serving } from "../support/http/serving.ts";
import { initialised } from "../support/process/initialised.ts";

const [TOKEN, OTHER] = ["a", "b"].map((letter) => `${letter.repeat(42)}+=`) as [string, string];

/** A server that other machines can reach, with a file for the token. */
async function open(box: Box) {
  const file = join(box.home, "scrape.token");
  const write = (text: string) => Deno.writeTextFileSync(file, text, { mode: 0o600 });
  write(`${TOKEN}\n`);
  const tls = await certify(box, "server");
  const start = () =>
    Serving.start(box, [
      ...["--listen", "0.0.0.0:0", "--allow-remote", "--workers", "1", ...tlsFlags(tls)],
      ...["--metrics-token-file", file],
    ]);
  /** The status of an answer, and its body. */
  const curl = async (serving: Serving, path: string, ...more: string[]) => {
    const { stdout } = await box.exec("curl", [
      ...["--silent", "--cacert", tls.cert, "--write-out", "\n%{http_code}", ...more],
      `https://localhost:${new URL(serving.url).port}${path}`,
    ]);
    const end = stdout.lastIndexOf("\n");
    return { text: stdout.slice(0, end), status: Number(stdout.slice(end)) };
  };
  const get = (serving: Serving, path: string, token: string) =>
    curl(serving, path, "--header", `Authorization: Bearer ${token}`);
  const status = async (serving: Serving, path: string, token: string) =>
    (await get(serving, path, token)).status;
  return { file, write, start, curl, get, status };
}

Deno.test("a scraper's token goes on after a rotation and a restart, and a new one in the file counts at once", async () => {
  using box = await initialised();
  const { file, write, start, get, status } = await open(box);
  const series = async (serving: Serving) => {
    const { text } = await get(serving, "/metrics", TOKEN);
    const lines = text.split("\n").filter((line) => /^rekey_(?!http_)/.test(line));
    return new Map(lines.map((line) => [line.replace(/ \S+$/, ""), Number(/\S+$/.exec(line)![0])]));
  };
  const counted = 'rekey_verifications_total{result="valid"}';
  await using serving = await start();
  const token = await box.token();
  for (let i = 0; i < 3; i++) assert.equal(await status(serving, "/auth", token), 204);
  const before = await series(serving);
  assert.equal(before.get(counted), 3);
  assert.equal((await box.run(["rotate", "--force"])).code, 0);
  assert.deepEqual([...(await series(serving)).keys()], [...before.keys()]);
  assert.equal(await status(serving, "/status.json", TOKEN), 200);
  assert.equal(await status(serving, "/auth", TOKEN), 401);
  assert.equal(await status(serving, "/metrics", OTHER), 401);
  write(OTHER);
  assert.equal(await status(serving, "/metrics", TOKEN), 401);
  assert.equal(await status(serving, "/metrics", OTHER), 200);
  Deno.removeSync(file);
  assert.equal(await status(serving, "/metrics", OTHER), 401);
  assert.equal(await status(serving, "/metrics", OTHER), 401);
  await serving.until(() => serving.stderr.includes("scrape.token: it does not exist"));
  write(TOKEN);
  assert.equal(await status(serving, "/metrics", TOKEN), 200);
  await serving.stop();
  const warnings = serving.stderr.match(/scrape\.token/g);
  assert.equal(warnings?.length, 1, serving.stderr);
  for (const secret of [TOKEN, OTHER]) {
    assert.ok(!(serving.stdout + serving.stderr).includes(secret), "in a log");
  }

  await using again = await start();
  const after = await series(again);
  assert.deepEqual([...after.keys()], [...before.keys()]);
  assert.equal(after.get(counted), 3);
  assert.equal(after.get("rekey_rotations_total"), 1);
  assert.equal(after.get("rekey_ready"), 1);
});

Deno.test("a scraper's token opens two routes, by GET and HEAD, and tells it of no person", async () => {
  using box = await initialised();
  assert.equal((await box.run(["rotate", "--force", "--reason", "offboarding"])).code, 0);
  const { start, get, curl } = await open(box);
  await using serving = await start();
  const { paths } = JSON.parse((await get(serving, "/openapi.json", TOKEN)).text);
  // What anyone may read.
  const isOpen = (path: string) =>
    !path.endsWith(".json") && /^\/($|page|uplot|favicon|healthz|readyz)/.test(path) ||
    /openapi|well-known/.test(path);
  const guarded = Object.keys(paths).filter((path) => !isOpen(path) && paths[path].get);
  assert.ok(guarded.length >= 5, guarded.join());
  for (const path of guarded) {
    const { status } = await get(serving, path, TOKEN);
    const wanted = ["/metrics", "/status.json"].includes(path) ? 200 : 401;
    assert.equal(status, wanted, path);
    const inQuery = await get(serving, `${path}?access_token=${TOKEN}`, OTHER);
    assert.ok([400, 401].includes(inQuery.status), path);
  }
  const token = `Authorization: Bearer ${TOKEN}`;
  const asked = async (path: string, ...more: string[]) =>
    (await curl(serving, path, "--path-as-is", ...more)).status;
  assert.equal(await asked("/metrics", "--head", "-H", token), 200);
  assert.equal(await asked("/metrics", "-H", token.replace("Bearer", "bearer")), 200);
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"]) {
    assert.equal(await asked("/metrics", "-X", method, "-H", token), 405, method);
  }
  for (const post of ["/rotate", "/introspect", "/logout"]) {
    assert.equal(await asked(post, "-X", "POST", "-d", "token=x", "-H", token), 401, post);
  }
  const others = ["//metrics", "/metrics/", "/metrics/x", "/%6detrics", "/metrics%00", "/METRICS"];
  for (const path of [...others, "/./metrics", "/x/../metrics", "/metrics;x", "/metrics.json"]) {
    assert.equal(await asked(path, "-H", token), 404, path);
  }
  for (const wrong of [`${token} ${TOKEN}`, token.replace("Bearer", "Basic"), `${token}=`]) {
    assert.equal(await asked("/metrics", "-H", wrong), 401, wrong);
  }
  assert.equal(await asked("/metrics", "-H", token, "-H", token), 401);
  const { text } = await get(serving, "/status.json", TOKEN);
  assert.doesNotMatch(text, /offboarding|@/);
  assert.equal(JSON.parse(text).rotations.length, 1);
  const whole = await get(serving, "/status.json", await box.token("op", "--scope", "metrics"));
  assert.match(whole.text, /offboarding/);
  await serving.stop();
  assert.ok(!(serving.stdout + serving.stderr).includes(TOKEN), "in a log");
});

Deno.test("a file of a scraper's token that cannot be used is refused at the start", async () => {
  using box = await initialised();
  const file = join(box.home, "scrape.token");
  const refused = async (content: string | undefined, mode: number, why: RegExp) => {
    if (content !== undefined) {
      Deno.writeTextFileSync(file, content);
      Deno.chmodSync(file, mode);
    }
    const ended = await box.run(["serve", "--metrics-token-file", file]);
    assert.equal(ended.code, 2, ended.stderr);
    assert.match(ended.stderr, why);
    assert.ok(!ended.stderr.includes("x".repeat(16)), "the token is not shown");
  };
  await refused(undefined, 0, /it does not exist\nhint: Make one: `.*urandom/);
  for (const bad of ["", "x".repeat(31), `${"x".repeat(32)} y`, "x".repeat(513)]) {
    await refused(bad, 0o600, /does not hold one token of 32 to 512 characters/);
  }
  await refused("x".repeat(32), 0o644, /other users can read it \(mode 0644\)\nhint: Run `chmod/);
});
