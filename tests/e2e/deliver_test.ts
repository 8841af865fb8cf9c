import assert from "node:assert/strict";
import { join } from "node:path";
import { Verifier } from "../support/deliver/verifier.ts";
import { type Box, REKEY } from "../support/process/box.ts";
import { initialised } from "../support/process/initialised.ts";
import { until } from "../support/timing/pause.ts";
import { start } from "../../scripts/program.ts";
import { query } from "../support/store/sql.ts";

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

Deno.test("a probe whose address answers to anyone proves nothing, and says so", async () => {
  using box = await initialised();
  const path = join(box.home, "keys.json");
  await using open = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const hasToken = request.headers.has("authorization");
    return new Response(null, { status: hasToken ? 204 : 401 });
  });
  const args = ["--format", "jwks", "--path", path];
  const url = `http://127.0.0.1:${open.addr.port}/`;
  const added = await box.run(["deliver", "add", "api", ...args, "--probe-url", url]);
  assert.equal(added.code, 5);
  assert.match(added.stderr, /Not followed: api: it accepts any token, also one that a random key/);
  const checked = await box.run(["deliver", "check"]);
  assert.equal(checked.code, 5);
  assert.match(checked.stderr, /accepts any token/);
});

Deno.test("a probe's command is asked about a forged token too", async () => {
  using box = await initialised();
  const path = join(box.home, "keys.json");
  const add = (name: string, command: string) =>
    box.run([
      ...["deliver", "add", name, "--format", "jwks", "--path", `${path}.${name}`],
      ...["--probe-command", command],
    ]);
  const trusting = await add("trusting", "cat >/dev/null");
  assert.equal(trusting.code, 5);
  assert.match(trusting.stderr, /trusting: it accepts any token/);
  const line = `'${REKEY}' verify - >/dev/null 2>&1 || exit 1`;
  const strict = await add("strict", line);
  assert.equal(strict.code, 0, strict.stderr);
});

Deno.test("a dialogue with a socket goes on only after the whole answer that it expects", async () => {
  using box = await initialised();
  const [preset, socket] = [join(box.home, "preset.json"), join(box.home, "socket")];
  let answer = "version 7\n\n";
  const heard: string[] = [];
  using program = Deno.listen({ transport: "unix", path: socket });
  const answering = (async () => {
    for await (const connection of program) {
      const buffer = new Uint8Array(1_000);
      const length = await connection.read(buffer) ?? 0;
      heard.push(new TextDecoder().decode(buffer.subarray(0, length)));
      await connection.write(new TextEncoder().encode(answer));
      connection.close();
    }
  })();
  const dialogue = [
    { send: "prepare", expect: "version (\\d+)", as: "version" },
    { send: "commit {{version}}", expect: "done|version 7" },
  ];
  Deno.writeTextFileSync(
    preset,
    JSON.stringify({
      ...{ name: "own", summary: "x", program: "x", role: "verifier", keys: "many" },
      ...{ algorithms: ["HS512"], reload_kind: "runtime", connections: "x", format: "jwks" },
      reload: { socket, dialogue },
    }),
  );
  const path = join(box.home, "keys.json");
  const added = await box.run(["deliver", "add", "own", "--preset-file", preset, "--path", path]);
  assert.equal(added.code, 0, added.stderr);
  assert.deepEqual(heard, ["prepare\n", "commit 7\n"]);
  for (answer of ["no version 7\n", "version 7, or nearly\n", "undone\n"]) {
    const rotated = await box.run(["rotate", "--force"]);
    assert.equal(rotated.code, 5);
    assert.match(rotated.stderr, /step 1 of its reload got another answer/);
  }
  program.close();
  await answering.catch(() => {});
});

Deno.test("a reload that fails or hangs is named with what it said, and the new file is whole", async () => {
  using box = await initialised();
  const path = join(box.home, "keys.json");
  const add = (reload: string) =>
    box.run(["deliver", "add", "api", "--format", "jwks", "--path", path, "--reload", reload]);
  const failed = await add("echo first; echo not today >&2; exit 7");
  assert.equal(failed.code, 5);
  assert.match(failed.stderr, /api: its reload ended with status 7: (first|not today)\n/);
  assert.equal(JSON.parse(Deno.readTextFileSync(path)).keys.length, 1);
  // What a program prints of its configuration is not passed on.
  await box.run(["deliver", "remove", "api"]);
  const leaking = await add(`cat "$REKEY_PATH"; exit 1`);
  assert.match(leaking.stderr, /api: its reload ended with status 1\n/);
  const [{ state }] = query(box, "SELECT state FROM rekey_delivery_states") as [{ state: string }];
  const { keys: [{ k }] } = JSON.parse(Deno.readTextFileSync(path));
  assert.ok(!state.includes(k) && !leaking.stderr.includes(k));
});

Deno.test("the environment of a reload has names and paths, and no value", async () => {
  using box = await initialised();
  const [path, seen] = [join(box.home, "keys.json"), join(box.home, "seen")];
  const reload = `env > ${seen}; tr '\\0' '\\n' < /proc/$$/cmdline >> ${seen}`;
  const args = ["--format", "jwks", "--path", path, "--reload", reload];
  assert.equal((await box.run(["deliver", "add", "api", ...args])).code, 0);
  const text = Deno.readTextFileSync(seen);
  const { kid } = await box.json("status");
  for (const line of ["REKEY_DELIVERY=api", `REKEY_PATH=${path}`, `REKEY_KID=${kid}`]) {
    assert.ok(text.includes(line), line);
  }
  const { keys: [{ k }] } = JSON.parse(Deno.readTextFileSync(path));
  assert.ok(!text.includes(k.slice(0, 20)));
});

Deno.test("a rekey that a reload or a probe calls finds the same installation, in any folder", async () => {
  using box = await initialised();
  const global = ["--app", "acme", "--data-dir", "elsewhere"];
  await box.run(["init", "--store", "database", ...global]);
  const [path, seen] = [join(box.home, "key"), join(box.home, "seen")];
  const calling = `cd / && '${REKEY}' status --json >> ${seen}`;
  const args = ["--format", "text", "--path", path, "--reload", calling];
  const probe = ["--probe-command", `${calling}; '${REKEY}' verify - >/dev/null 2>&1 || exit 1`];
  const added = await box.run(["deliver", "add", "api", ...args, ...probe, ...global]);
  assert.equal(added.code, 0, added.stderr);
  const apps = Deno.readTextFileSync(seen).trim().split("\n").map((line) => JSON.parse(line).app);
  assert.ok(apps.length > 1 && apps.every((app) => app === "acme"), apps.join());
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
