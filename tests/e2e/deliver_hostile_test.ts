import assert from "node:assert/strict";
import { existsSync as isThere } from "node:fs";
import { join } from "node:path";
import { start } from "../../scripts/program.ts";
import { type Box, REKEY } from "../support/process/box.ts";
import { initialised } from "../support/process/initialised.ts";
import { sql } from "../support/store/sql.ts";
import { until } from "../support/timing/pause.ts";

const JWKS = ["--format", "jwks"];

function add(box: Box, name: string, ...args: string[]) {
  return box.run(["deliver", "add", name, ...args]);
}

async function followed(box: Box): Promise<boolean> {
  const { stdout } = await box.run(["deliver", "list", "--json"]);
  return JSON.parse(stdout.trim().split("\n")[0]!).followed;
}

/** A preset file: a text delivery with more. */
function presetFile(box: Box, more: object): string {
  const path = join(box.home, "preset.json");
  const facts = { name: "own", summary: "x", program: "x", role: "verifier", keys: "many" };
  const ways = { algorithms: ["HS512"], reload_kind: "at once", connections: "x" };
  Deno.writeTextFileSync(path, JSON.stringify({ ...facts, ...ways, ...more }));
  return path;
}

Deno.test("a program that hangs in another process holds up no incident and no revoke", async () => {
  using box = await initialised();
  const [path, begun] = [join(box.home, "keys.json"), join(box.home, "begun")];
  const reload = ["--reload", `echo >> ${begun}; test ! -e ${begun}.hang || sleep 60`];
  assert.equal((await add(box, "api", ...JWKS, "--path", path, ...reload)).code, 0);
  Deno.writeTextFileSync(`${begun}.hang`, "");
  Deno.removeSync(begun);
  Deno.removeSync(path);
  const hanging = start(REKEY, ["deliver", "sync"], box.surroundings());
  await until(() => isThere(begun));
  // Otherwise it would stop for the incident.
  hanging.kill("SIGSTOP");
  const rotated = await box.run(["rotate", "--force", "--lock-timeout", "1s"]);
  assert.equal(rotated.code, 5, rotated.stderr);
  assert.match(rotated.stderr, /Not followed: api: another rekey is still delivering keys/);
  assert.equal((await box.json("status")).version, 2);
  hanging.kill("SIGKILL");
  await hanging.status;
  Deno.removeSync(`${begun}.hang`);
  assert.equal((await box.run(["deliver", "sync"])).code, 0);
  assert.ok(await followed(box));
});

Deno.test("a check does not count a program as told that was not", async () => {
  using box = await initialised();
  const [path, ready] = [join(box.home, "keys.json"), join(box.home, "ready")];
  const failed = await add(box, "api", ...JWKS, "--path", path, "--reload", `test -e ${ready}`);
  assert.equal(failed.code, 5);
  const checked = await box.run(["deliver", "check"]);
  assert.equal(checked.code, 5);
  assert.match(checked.stderr, /its last delivery failed or was cut off/);
  assert.ok(!await followed(box));
  Deno.writeTextFileSync(ready, "");
  assert.equal((await box.run(["deliver", "sync"])).code, 0);
  assert.equal((await box.run(["deliver", "check"])).code, 0);
});

Deno.test("a program is reloaded whenever its file was written, also with the contents of before", async () => {
  using box = await initialised();
  const [path, count] = [join(box.home, "keys.json"), join(box.home, "count")];
  assert.equal(
    (await add(box, "api", ...JWKS, "--path", path, "--reload", `echo >> ${count}`)).code,
    0,
  );
  Deno.writeTextFileSync(path, "what the program may have read");
  assert.equal((await box.run(["deliver", "sync"])).code, 0);
  assert.equal(Deno.readTextFileSync(count), "\n\n");
});

Deno.test("a reload that changes the file is no success", async () => {
  using box = await initialised();
  const path = join(box.home, "keys.json");
  const added = await add(box, "api", ...JWKS, "--path", path, "--reload", 'echo >> "$REKEY_PATH"');
  assert.equal(added.code, 5);
  assert.match(added.stderr, /keys\.json has other contents than it should/);
  assert.match((await box.run(["deliver", "show", "api"])).stdout, /^probe +none: /m);
  assert.ok(!await followed(box));
});

Deno.test("no delivery goes to where rekey keeps its own files, or where another one goes", async () => {
  using box = await initialised();
  const digests = () => [...box.digests()].filter(([path]) => !path.endsWith(".lock"));
  const before = digests();
  const keys = join(box.home, ".config/rekey");
  const link = join(box.home, "link");
  Deno.symlinkSync(join(box.database, ".."), link);
  const own = [
    ...["", "-wal", ".lock", ".deliveries.lock"].map((end) => box.database + end),
    ...["-journal/a", ".restore-a/b/c"].map((end) => box.database + end),
    join(link, "agiworkforce.db"),
    join(keys, "new.key"),
  ];
  for (const path of own) {
    const refused = await add(box, "api", ...JWKS, "--path", path, "--force");
    assert.equal(refused.code, 1, path);
    assert.match(refused.stderr, /where rekey keeps its own files/);
  }
  assert.deepEqual(digests(), before);
  const folder = join(box.home, "keys");
  assert.equal((await add(box, "api", ...JWKS, "--path", join(folder, "a"))).code, 0);
  Deno.symlinkSync(folder, join(box.home, "other"));
  const same = [`${folder}//a`, `${folder}/./a`, `${folder}/x/../a`, join(box.home, "other/a")];
  const preset = presetFile(box, { layout: "folder", file_name: "{{kid}}", template: "{{hex}}" });
  for (const path of same) {
    assert.match(
      (await add(box, "b", ...JWKS, "--path", path, "--force")).stderr,
      /api delivers there/,
    );
  }
  const around = await add(box, "b", "--preset-file", preset, "--path", `${folder}/`, "--force");
  assert.match(around.stderr, /api delivers there already/);
  const odd = await add(box, "b", ...JWKS, "--path", `${folder}/a\u001b[2Jb`);
  assert.match(odd.stderr, /a control character/);
});

Deno.test("a delivery whose group is gone can be removed, and the secret destroyed", async () => {
  using box = await initialised();
  const [one, two] = [join(box.home, "one"), join(box.home, "two")];
  for (const path of [one, two]) {
    assert.equal((await add(box, path.slice(-3), ...JWKS, "--path", path)).code, 0);
  }
  sql(box, `UPDATE rekey_deliveries SET settings = json_set(settings, '$.group', 'no-such-group')`);
  const removed = await box.run(["deliver", "remove", "one"]);
  assert.equal(removed.code, 0, removed.stderr);
  assert.ok(!isThere(one));
  const destroyed = await box.run(["destroy", "--force"]);
  assert.equal(destroyed.code, 0, destroyed.stderr);
  assert.ok(!isThere(two));
});

Deno.test("a restored backup delivers nothing before it is asked to", async () => {
  using box = await initialised();
  const [path, told, copy] = ["keys.json", "told", "copy.db"].map((name) =>
    join(box.home, name)
  ) as [
    string,
    string,
    string,
  ];
  const args = [...JWKS, "--path", path, "--reload", `echo >> ${told}`, "--force"];
  assert.equal((await add(box, "api", ...args)).code, 0);
  assert.equal((await box.run(["backup", copy])).code, 0);
  assert.equal((await box.run(["rotate", "--force"])).code, 0);
  const now = Deno.readTextFileSync(path);
  Deno.removeSync(told);
  const drill = ["--data-dir", join(box.home, "drill")];
  const restored = await box.run(["restore", copy, ...drill]);
  assert.equal(restored.code, 0, restored.stderr);
  assert.match(restored.stderr, /nothing is delivered here yet: api/);
  assert.equal((await box.run(["status", ...drill])).code, 0);
  const rotated = await box.run(["rotate", "--force", ...drill]);
  assert.equal(rotated.code, 5);
  assert.match(rotated.stderr, /Not followed: api: it was never delivered on this machine/);
  assert.equal((await box.run(["rotate", "--force", "--grace", "1h", ...drill])).code, 5);
  const other = ["--data-dir", join(box.home, "other")];
  assert.equal((await box.run(["restore", copy, ...other])).code, 0);
  const { stdout } = await box.run(["deliver", "remove", "api", ...other]);
  assert.equal(stdout, "Removed api: this machine has no files of it\n");
  assert.equal(Deno.readTextFileSync(path), now);
  assert.ok(!isThere(told));
  assert.equal((await box.run(["deliver", "sync", ...drill])).code, 0);
  assert.notEqual(Deno.readTextFileSync(path), now);
  assert.equal((await box.run(["rotate", "--force", ...drill])).code, 0);
});

Deno.test("a backup with other settings of a delivery is not taken for what was delivered", async () => {
  using box = await initialised();
  const [first, second, copy] = ["first", "second", "copy.db"].map((name) =>
    join(box.home, name)
  ) as [
    string,
    string,
    string,
  ];
  assert.equal((await add(box, "api", ...JWKS, "--path", first)).code, 0);
  assert.equal((await box.run(["backup", copy])).code, 0);
  assert.equal((await box.run(["deliver", "remove", "api"])).code, 0);
  assert.equal((await add(box, "api", ...JWKS, "--path", second)).code, 0);
  Deno.writeTextFileSync(first, "mine");
  const restored = await box.run(["restore", copy, "--force"]);
  assert.equal(restored.code, 0, restored.stderr);
  assert.match(restored.stderr, /nothing is delivered here yet: api/);
  assert.equal((await box.run(["status"])).code, 0);
  assert.equal(Deno.readTextFileSync(first), "mine");
  assert.equal((await box.run(["deliver", "sync"])).code, 5);
  assert.equal(Deno.readTextFileSync(first), "mine");
});

Deno.test("presets and templates with odd names, lists in lists or names out of place are refused", async () => {
  using box = await initialised();
  const path = join(box.home, "keys");
  for (const name of ["__proto__", "hasOwnProperty", "toString", "constructor"]) {
    assert.equal((await add(box, "api", "--preset", name, "--path", path)).code, 2, name);
    assert.equal((await box.run(["deliver", "presets", name])).code, 2, name);
  }
  const lists = "{{#verifying}}".repeat(30) + "{{kid}}" + "{{/verifying}}".repeat(30);
  const wrong: object[] = [
    { template: lists },
    { template: "{{kid}} {{text}}" },
    { template: "{{#verifying}}{{hex}}{{/verifying}}{{hex}}" },
    { format: "jwks", path: "/run/{{kid}}" },
    { format: "jwks", reload: { command: ["true", "{{current.text}}"] } },
    { format: "jwks", probe: { command: ["true", "{{hex}}"], accepted: [0], refused: [1] } },
    { format: "jwks", reload: { socket: "/s", dialogue: [{ send: "add {{text}}" }] } },
    {
      format: "jwks",
      probe: { http: { url: "http://h/", header: "none", accepted: [200], refused: [401] } },
    },
  ];
  for (const more of wrong) {
    const refused = await add(box, "api", "--preset-file", presetFile(box, more), "--path", path);
    assert.equal(refused.code, 2, `${JSON.stringify(more)}: ${refused.stderr}`);
  }
  const long = presetFile(box, { template: "x".repeat(17 * 2 ** 20) });
  assert.equal((await add(box, "api", "--preset-file", long, "--path", path)).code, 2);
  const large = presetFile(box, { format: "jwks", claims: { a: "x".repeat(15 * 2 ** 20) } });
  const refused = await add(box, "api", "--preset-file", large, "--path", path);
  assert.equal(refused.code, 2, refused.stderr);
  const greedy = presetFile(box, {
    ...{ format: "jwks", probe: { command: ["printf", `${"a".repeat(40)}b`] } },
  });
  const pattern = { accepted: [0], refused: [1], accepted_output: "^(a+)+$", timeout_s: 1 };
  const parsed = JSON.parse(Deno.readTextFileSync(greedy));
  Object.assign(parsed.probe, pattern);
  Deno.writeTextFileSync(greedy, JSON.stringify(parsed));
  const slow = await add(box, "slow", "--preset-file", greedy, "--path", join(box.home, "slow"));
  assert.match(slow.stderr, /slow: its probe ended with status 0/);
  const env = ["--format", "env", "--path", path, "--set", "variable=X=1; reboot #"];
  assert.match((await add(box, "api", ...env)).stderr, /no variable can have that name/);
});

Deno.test("a reload that prints the key in capitals is not quoted, and has the caller's umask", async () => {
  using box = await initialised();
  const [path, seen] = [join(box.home, "key"), join(box.home, "seen")];
  const reload = `umask > ${seen}; tr a-f A-F < "$REKEY_PATH"; exit 1`;
  const args = ["--format", "text", "--set", "encoding=hex", "--path", path, "--reload", reload];
  const failed = await add(box, "api", ...args);
  assert.equal(failed.code, 5);
  assert.match(failed.stderr, /its reload ended with status 1\n/);
  assert.equal(parseInt(Deno.readTextFileSync(seen), 8), Deno.umask());
});

Deno.test("no proxy sees the tokens of probes on this machine", async () => {
  using box = await initialised();
  const asked: string[] = [];
  await using proxy = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, ({ url }) => {
    asked.push(url);
    return new Response();
  });
  const url = `http://127.0.0.1:${proxy.addr.port}`;
  const args = ["--path", join(box.home, "keys"), "--probe-url", "http://127.0.0.1:1/"];
  const env = { HTTP_PROXY: url, http_proxy: url, ALL_PROXY: url };
  const added = await box.run(["deliver", "add", "api", ...JWKS, ...args], { env });
  assert.match(added.stderr, /its probe could not reach http:\/\/127.0.0.1:1\//);
  assert.deepEqual(asked, []);
});

Deno.test("a folder that is swapped for a link while it is made is not given away", async () => {
  using box = await initialised();
  const [folder, victim] = [join(box.home, "keys"), join(box.home, "victim")];
  Deno.mkdirSync(victim, { mode: 0o755 });
  Deno.chmodSync(victim, 0o755);
  const preset = presetFile(box, {
    ...{ layout: "folder", file_name: "{{kid}}", template: "{{hex}}", mode: "0600" },
  });
  const delayed = ["-f", "-qq", "-e", "trace=mkdir,mkdirat", "-o", "/dev/null"];
  const inject = ["-P", folder, "-e", "inject=mkdir,mkdirat:delay_exit=2000000"];
  const adding = ["deliver", "add", "api", "--preset-file", preset, "--path", folder];
  const ending = box.exec("/usr/bin/strace", [...delayed, ...inject, REKEY, ...adding]);
  await until(() => isThere(folder));
  Deno.renameSync(folder, `${folder}.away`);
  Deno.symlinkSync(victim, folder);
  const ended = await ending;
  assert.equal(ended.code, 5, ended.stderr);
  assert.match(ended.stderr, /something else was put there/);
  assert.equal(Deno.statSync(victim).mode! & 0o777, 0o755);
  assert.deepEqual([...Deno.readDirSync(victim)], []);
});
