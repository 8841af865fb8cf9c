import assert from "node:assert/strict";
import { join } from "node:path";
import { Verifier } from "../support/deliver/verifier.ts";
import { type Box, REKEY } from "../support/process/box.ts";
import { initialised } from "../support/process/initialised.ts";
import { until } from "../support/timing/pause.ts";
import { start } from "../../scripts/program.ts";

const lines = (text: string) => text.trim().split("\n").map((line) => JSON.parse(line));

async function listed(box: Box) {
  return lines((await box.run(["deliver", "list", "--json"])).stdout);
}

Deno.test("a program is given the keys, and it is proved that it took them up", async () => {
  using box = await initialised();
  const path = join(box.home, "keys.json");
  await using verifier = await Verifier.start(path);
  const added = await box.run([
    ...["deliver", "add", "api", "--format", "jwks", "--path", path],
    ...["--probe-url", verifier.url, "--json"],
  ]);
  assert.equal(added.code, 0, added.stderr);
  const [facts] = lines(added.stdout);
  const { kid } = await box.json("status");
  assert.deepEqual([facts.followed, facts.confirmed, facts.version], [true, [kid], 1]);
  assert.equal(Deno.statSync(path).mode! & 0o777, 0o600);
  const token = await box.token();
  assert.ok(await verifier.accepts(token));

  assert.equal((await box.run(["rotate", "--force"])).code, 0);
  assert.equal((await box.run(["deliver", "sync"])).code, 0);
  assert.ok(!await verifier.accepts(token));
  assert.ok(await verifier.accepts(await box.token()));
  assert.equal((await box.run(["deliver", "check"])).code, 0);
  assert.equal((await box.run(["audit", "verify"])).code, 0);
});

Deno.test("a program that is down is named with exit 5, and followed up later", async () => {
  using box = await initialised();
  const path = join(box.home, "keys.json");
  await using verifier = await Verifier.start(path);
  const add = ["deliver", "add", "api", "--format", "jwks", "--path", path];
  await verifier.stop();
  const added = await box.run([...add, "--probe-url", verifier.url]);
  assert.equal(added.code, 5);
  assert.ok(
    added.stderr.includes(`Not followed: api: its probe could not reach ${verifier.url}`),
    added.stderr,
  );
  assert.equal((await listed(box))[0].followed, false);
  await verifier.restart();
  assert.equal((await box.run(["deliver", "sync"])).code, 0);
  assert.equal((await listed(box))[0].followed, true);
});

Deno.test("what rekey did not write is replaced with --force only", async () => {
  using box = await initialised();
  const path = join(box.home, "keys.json");
  Deno.writeTextFileSync(path, "mine");
  const add = ["deliver", "add", "api", "--format", "text", "--path", path];
  const refused = await box.run(add);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /it is there already, and rekey did not write it/);
  assert.equal(Deno.readTextFileSync(path), "mine");
  assert.equal((await box.run(["deliver", "list", "--json"])).stdout, "");
  assert.equal((await box.run([...add, "--force"])).code, 0);
  assert.equal(Deno.readTextFileSync(path).length, 88);
  // A file of rekey's that someone has changed is written again.
  Deno.writeTextFileSync(path, "changed");
  assert.equal((await listed(box))[0].followed, false);
  assert.equal((await box.run(["deliver", "sync"])).code, 0);
  assert.equal(Deno.readTextFileSync(path).length, 88);
});

Deno.test("removing a delivery deletes its file, or keeps it on request", async () => {
  using box = await initialised();
  const path = join(box.home, "keys.json");
  const add = ["deliver", "add", "api", "--format", "jwks", "--path", path];
  assert.equal((await box.run(add)).code, 0);
  assert.equal((await box.run(["deliver", "remove", "api"])).code, 0);
  assert.throws(() => Deno.statSync(path));
  assert.equal((await box.run(add)).code, 0);
  assert.equal((await box.run(["deliver", "remove", "api", "--keep-files"])).code, 0);
  assert.ok(Deno.statSync(path).isFile);
  assert.equal((await box.run(["deliver", "remove", "api"])).code, 2);
  // What is destroyed is in no program's file either.
  assert.equal((await box.run([...add, "--force"])).code, 0);
  assert.equal((await box.run(["destroy", "--force"])).code, 0);
  assert.throws(() => Deno.statSync(path));
});

Deno.test("bad flags are refused plainly, and nothing is added", async () => {
  using box = await initialised();
  const path = join(box.home, "keys.json");
  const wrong: [args: string[], code: number, text: RegExp][] = [
    [["api"], 2, /Name what to deliver/],
    [["api", "--format", "jwks", "--preset", "jwks"], 2, /Name what to deliver/],
    [["api", "--preset", "nothing"], 2, /no such preset/],
    [["API", "--format", "jwks", "--path", path], 2, /as the name of a delivery/],
    [["api", "--format", "jwks"], 2, /no memory-backed folder/],
    [["api", "--format", "jwks", "--path", "keys.json"], 2, /relative path/],
    [
      ["api", "--format", "jwks", "--path", path, "--mode", "0644"],
      2,
      /other users have no rights/,
    ],
    [["api", "--format", "jwks", "--path", path, "--group", "no-such-group"], 1, /no group/],
    [["api", "--format", "text", "--path", path, "--set", "nothing=1"], 2, /no such parameter/],
  ];
  for (const [args, code, text] of wrong) {
    const isRoot = Deno.uid() === 0 && args.length === 3 && text.source.includes("memory");
    if (isRoot) continue;
    const ended = await box.run(["deliver", "add", ...args]);
    assert.equal(ended.code, code, `${args.join(" ")}: ${ended.stderr}`);
    assert.match(ended.stderr, text);
  }
  assert.equal((await box.run(["deliver", "list", "--json"])).stdout, "");
});

Deno.test("a template and a preset of the operator's own are delivered", async () => {
  using box = await initialised();
  const [template, preset, map, one] = ["t.mustache", "p.json", "map", "one"]
    .map((name) => join(box.home, name)) as [string, string, string, string];
  Deno.writeTextFileSync(template, "{{#verifying}}{{kid}} {{text}}\n{{/verifying}}");
  const add = (...args: string[]) => box.run(["deliver", "add", ...args]);
  assert.equal((await add("map", "--template", template, "--path", map)).code, 0);
  Deno.writeTextFileSync(
    preset,
    JSON.stringify({
      ...{ name: "own", summary: "x", program: "x", role: "verifier", keys: "many" },
      ...{ algorithms: ["HS512"], reload_kind: "at once", connections: "x", layout: "folder" },
      ...{ file_name: "{{alg}}/{{kid}}", template: "{{base64}}{{ending}}" },
      parameters: { ending: { about: "what comes last" } },
    }),
  );
  assert.match(
    (await add("own", "--preset-file", preset, "--path", one)).stderr,
    /needs the parameter/,
  );
  const set = ["--set", "ending=!", "--path", one];
  const added = await add("own", "--preset-file", preset, ...set);
  assert.equal(added.code, 0, added.stderr);
  const { kid } = await box.json("status");
  assert.match(Deno.readTextFileSync(map), new RegExp(`^${kid} .{88}\n$`));
  assert.match(Deno.readTextFileSync(join(one, "HS512", kid)), /^[A-Za-z0-9+/=]{120}!$/);
  assert.equal((await box.run(["rotate", "--force"])).code, 0);
  assert.equal((await box.run(["deliver", "sync"])).code, 0);
  const files = [...Deno.readDirSync(join(one, "HS512"))].map(({ name }) => name);
  assert.deepEqual(files, [(await box.json("status")).kid]);
});

Deno.test("backups hold what is delivered, and not what a program holds", async () => {
  using box = await initialised();
  const [path, copy] = [join(box.home, "keys.json"), join(box.home, "copy.db")];
  const add = ["deliver", "add", "api", "--format", "jwks", "--path", path];
  assert.equal((await box.run(add)).code, 0);
  assert.equal((await box.run(["backup", copy])).code, 0);
  assert.equal((await box.run(["deliver", "remove", "api"])).code, 0);
  const restored = await box.run(["restore", copy, "--force"]);
  assert.equal(restored.code, 0, restored.stderr);
  assert.equal((await box.run(["deliver", "sync"])).code, 0);
  assert.deepEqual((await listed(box)).map(({ name, followed }) => [name, followed]), [
    ["api", true],
  ]);
});

Deno.test("sync --watch follows changes, of the secret and of files, until it is stopped", async () => {
  using box = await initialised();
  const path = join(box.home, "keys.json");
  await using verifier = await Verifier.start(path);
  const args = ["--format", "jwks", "--path", path, "--probe-url", verifier.url];
  assert.equal((await box.run(["deliver", "add", "api", ...args])).code, 0);
  const watch = start(REKEY, ["deliver", "sync", "--watch"], box.surroundings());
  const old = await box.token();
  assert.equal((await box.run(["rotate", "--force", "--grace", "2s"])).code, 0);
  const fresh = await box.token();
  await until(() => verifier.accepts(fresh));
  // The old key leaves at the end of its grace period.
  await until(async () => !await verifier.accepts(old));
  Deno.removeSync(path);
  await until(() => verifier.accepts(fresh));
  watch.kill("SIGTERM");
  assert.equal((await watch.status).code, 0);
});
