import assert from "node:assert/strict";
import { join } from "node:path";
import { Box, type RunOptions } from "../support/process/box.ts";
import { initialised } from "../support/process/initialised.ts";

Deno.test("apps: every app with its folder, and nothing secret", async () => {
  using box = await initialised();
  await box.run(["init", "--app", "web"]);
  await box.run(["rotate", "--force", "--app", "web"]);
  const named = join(box.home, "named");
  await box.run(["init", "--app", "api", "--data-dir", named]);
  // Neither is rekey's.
  for (const name of ["other", "text"]) {
    const folder = join(box.home, ".local/share", name);
    Deno.mkdirSync(folder);
    Deno.writeTextFileSync(join(folder, `${name}.db`), "a file of another program");
    if (name === "text") Deno.writeTextFileSync(join(folder, `${name}.db.lock`), "");
  }
  const before = box.digests();
  const listed = async (...args: string[]) => {
    const { code, stdout, stderr } = await box.run(["apps", "--json", ...args]);
    assert.deepEqual([code, stderr], [0, ""]);
    return stdout.trim().split("\n").filter(Boolean).map((line) => JSON.parse(line));
  };
  const share = (app: string) => join(box.home, ".local/share", app);
  const short = (rows: Record<string, unknown>[]) =>
    rows.map(({ app, folder, version, location, used }) => [app, folder, version, location, used]);
  assert.deepEqual(short(await listed()), [
    ["agiworkforce", share("agiworkforce"), 1, "database", true],
    ["web", share("web"), 2, "database", false],
  ]);
  const [first] = await listed("--app", "api", "--data-dir", named);
  assert.deepEqual(short([first]), [["api", named, 1, "database", true]]);
  assert.deepEqual(Object.keys(first).sort(), [
    ...["age_seconds", "app", "created_at", "created_in_future", "database", "folder"],
    ...["location", "readable", "used", "version"],
  ]);
  const { stdout } = await box.run(["apps"]);
  assert.match(stdout, /^APP +VERSION +LOCATION +AGE +FOLDER\nagiworkforce \* +1 +database/);
  assert.deepEqual([...box.digests()], [...before]);
});

Deno.test("apps: without any app the list is empty", async () => {
  using box = new Box();
  const { code, stdout, stderr } = await box.run(["apps"]);
  assert.deepEqual([code, stdout.split("\n").length], [0, 2]);
  assert.match(stderr, /rekey init/);
  assert.deepEqual([...Deno.readDirSync(box.home)], []);
});

const NEEDING = [
  ...[["status"], ["issue", "--sub", "a"], ["rotate", "--force"], ["exec", "--", "true"], [
    "serve",
  ]],
  ...[["user", "list"], ["session", "list"], ["audit", "list"], ["stats"], ["store", "show"], [
    "revoke",
  ]],
  ...[["verify", "--", "a.b.c"], ["policy", "show"], ["kek", "rotate"], ["backup", "b.db"]],
];

Deno.test("a command that finds no secret says where it looked, as whom, and what is known", async () => {
  using box = new Box();
  await box.run(["init", "--app", "web"]);
  const named = join(box.home, "named");
  const hintOf = async (args: string[], options: RunOptions = {}) => {
    const { code, stderr } = await box.run([...args], options);
    if (args[0] !== "verify") assert.equal(code, 4, `${args}: ${stderr}`);
    return /^hint: (.*)$/m.exec(stderr)?.[1] ?? "";
  };
  const folder = join(box.home, ".local/share/web");
  for (const args of NEEDING.filter(([name]) => name !== "verify")) {
    const hint = await hintOf(args);
    const parts = [
      "Make one with `rekey init`",
      `looked in ${box.database} and in the keyring for agiworkforce.jwt_secret, as `,
      `(HOME ${box.home})`,
      `known here: web in ${folder} (\`rekey apps\` lists them)`,
    ];
    for (const part of parts) assert.ok(hint.includes(part), `${args}: ${hint}`);
  }
  // The same app's, where the folder was named by mistake.
  const same = await hintOf(["status", "--app", "web", "--data-dir", named]);
  assert.ok(
    same.startsWith(`Name the one in ${folder} with --data-dir, or make another one`),
    same,
  );
  assert.match(
    await hintOf(["status"], { env: { SUDO_USER: "alice" } }),
    /, by sudo of alice \(HOME/,
  );
  const { stderr } = await box.run(["status", "--json"]);
  assert.match(JSON.parse(stderr).error.hint, /looked in/);
  const destroyed = await box.run(["destroy", "--force"]);
  assert.equal(destroyed.code, 0);
  assert.match(destroyed.stderr, /looked in .*known here: web/);
});

Deno.test("init and import warn about a second secret of the same app elsewhere", async () => {
  using box = await initialised();
  const folder = join(box.home, ".local/share/agiworkforce");
  const warning = `warning: app agiworkforce has another secret, version 1 in ${folder}: `;
  const init = await box.run(["init", "--quiet", "--data-dir", "one"]);
  assert.deepEqual([init.code, init.stderr.slice(0, warning.length)], [0, warning]);
  const again = await box.run(["init", "--data-dir", "one"]);
  assert.ok(!again.stderr.includes("another secret"), again.stderr);
  const stdin = crypto.getRandomValues(new Uint8Array(64)).toBase64();
  const imported = await box.run(["import", "--data-dir", "two"], { stdin });
  assert.deepEqual([imported.code, imported.stderr.slice(0, warning.length)], [0, warning]);
  assert.equal(
    (await box.run(["init", "--app", "web", "--data-dir", "one"])).stderr.includes("another"),
    false,
  );
});

Deno.test("of many apps messages name three and count the others, in doctor's too", async () => {
  using box = new Box();
  for (const app of ["a", "b", "c", "d", "e"]) {
    await box.run(["--app", app, "init", "--store", "database"]);
  }
  const tail = /nown here: a in \S+, b in \S+, c in \S+ and 2 more \(`rekey apps` lists them\)$/m;
  assert.match((await box.run(["--app", "x", "status"])).stderr, tail);
  const { stdout } = await box.run(["--app", "x", "doctor"]);
  assert.match(stdout, tail);
});
