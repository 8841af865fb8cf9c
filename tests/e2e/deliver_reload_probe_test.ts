import assert from "node:assert/strict";
import { join } from "node:path";
import { REKEY } from "../support/process/box.ts";
import { initialised } from "../support/process/initialised.ts";
import { query } from "../support/store/sql.ts";

// Reloads and probes: how a program is told, and how it is found out that it has followed.

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
