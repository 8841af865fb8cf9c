import assert from "node:assert/strict";
import { join } from "node:path";
import type { Box } from "../support/process/box.ts";
import { initialised } from "../support/process/initialised.ts";
import { queryRow } from "../support/store/sql.ts";

async function succeeds(box: Box, ...args: string[]): Promise<string> {
  const { code, stderr } = await box.run(args);
  assert.equal(code, 0, `${args.join(" ")}: ${stderr}`);
  return stderr;
}

const add = (
  name: string,
  path: string,
) => ["deliver", "add", name, "--format", "text", "--path", path];

/** A preset without contents. */
const OWN = {
  ...{ name: "own", summary: "x", program: "any", role: "verifier", keys: "many" },
  ...{ algorithms: ["HS512"], reload_kind: "at once", connections: "x", mode: "0600" },
};

/** What may have come to be in the place of a delivered file. */
const REPLACEMENTS: Record<string, (path: string) => void> = {
  "another file": (path) => Deno.writeTextFileSync(path, "mine"),
  "the file with one more character": (path) =>
    Deno.writeTextFileSync(path, "\n", { append: true }),
  "a link": (path) => {
    Deno.renameSync(path, `${path}.real`);
    Deno.symlinkSync(`${path}.real`, path);
  },
  "a folder": (path) => {
    Deno.removeSync(path);
    Deno.mkdirSync(path);
  },
};

for (const [what, replace] of Object.entries(REPLACEMENTS)) {
  Deno.test(`${what} in the place of a delivered file stays when the delivery is removed, and is named`, async () => {
    using box = await initialised();
    const path = join(box.home, "key");
    await succeeds(box, ...add("api", path));
    replace(path);
    const before = Deno.lstatSync(path).ino;
    const removed = await box.json("deliver", "remove", "api");
    assert.deepEqual(removed.files_left, [path]);
    assert.equal(Deno.lstatSync(path).ino, before);
    assert.equal((await box.run(["deliver", "show", "api"])).code, 2);
  });
}

Deno.test("destroy deletes what rekey delivered, and names what has taken its place", async () => {
  using box = await initialised();
  const [own, other] = [join(box.home, "own"), join(box.home, "other")];
  await succeeds(box, ...add("own", own));
  await succeeds(box, ...add("other", other));
  Deno.writeTextFileSync(other, "mine");
  const said = await succeeds(box, "destroy", "--force");
  assert.match(said, /warning: \S*\/other stays: it is not what rekey wrote there/);
  assert.ok(!said.includes("/own stays"));
  assert.throws(() => Deno.lstatSync(own));
  assert.equal(Deno.readTextFileSync(other), "mine");
});

Deno.test("folders that rekey made go with the delivery if nothing else is in them", async () => {
  using box = await initialised();
  const preset = join(box.home, "preset.json");
  const layout = { layout: "folder", file_name: "{{alg}}/{{kid}}", template: "{{base64}}" };
  Deno.writeTextFileSync(preset, JSON.stringify({ ...OWN, ...layout }));
  const mine = join(box.home, "mine");
  Deno.mkdirSync(mine);
  const addTo = (
    path: string,
  ) => ["deliver", "add", "api", "--preset-file", preset, "--path", path];
  const path = join(mine, "run", "keys");
  await succeeds(box, ...addTo(path));
  await succeeds(box, "rotate", "--force", "--grace", "1h");
  assert.equal([...Deno.readDirSync(join(path, "HS512"))].length, 2);
  await succeeds(box, "deliver", "remove", "api");
  assert.deepEqual([...Deno.readDirSync(mine)], [], "down to the one that was there before");

  await succeeds(box, ...addTo(path));
  Deno.writeTextFileSync(join(path, "note"), "mine");
  await succeeds(box, "destroy", "--force");
  assert.deepEqual([...Deno.readDirSync(path)].map(({ name }) => name), ["note"]);

  await succeeds(box, "init");
  Deno.removeSync(join(path, "note"));
  await succeeds(box, ...addTo(path));
  await succeeds(box, "deliver", "remove", "api");
  assert.deepEqual([...Deno.readDirSync(path)], [], "it was there before the delivery");
});

Deno.test("folders that are made again, as in memory after each start, are recorded once", async () => {
  using box = await initialised();
  const mine = join(box.home, "mine");
  Deno.mkdirSync(join(mine, "run"), { recursive: true });
  await succeeds(box, ...add("api", join(mine, "run", "keys", "key")));
  for (let times = 0; times < 3; times++) {
    Deno.removeSync(join(mine, "run"), { recursive: true });
    await succeeds(box, "deliver", "sync");
  }
  const { state } = queryRow(box.database, "SELECT state FROM rekey_delivery_states")!;
  assert.deepEqual(JSON.parse(state).folders, [join(mine, "run"), join(mine, "run", "keys")]);
  await succeeds(box, "deliver", "remove", "api");
  assert.deepEqual([...Deno.readDirSync(mine)], []);
});

Deno.test("a file of several deliveries of other times is deleted with its delivery", async () => {
  using box = await initialised();
  const path = join(box.home, "key");
  await succeeds(box, ...add("api", path));
  await succeeds(box, "rotate", "--force");
  await succeeds(box, "rotate", "--force", "--grace", "1h");
  await succeeds(box, "deliver", "remove", "api");
  assert.throws(() => Deno.lstatSync(path));
});

Deno.test("restore names the files of deliveries that the backup does not have, or has elsewhere", async () => {
  using box = await initialised();
  const [first, second, later, copy] = ["first", "second", "later", "copy.db"].map((name) =>
    join(box.home, name)
  ) as [string, string, string, string];
  await succeeds(box, ...add("api", first));
  await succeeds(box, "backup", copy);
  await succeeds(box, "deliver", "remove", "api");
  await succeeds(box, ...add("api", second));
  await succeeds(box, ...add("later", later));
  const restored = await box.run(["restore", copy, "--force", "--json"]);
  assert.equal(restored.code, 0, restored.stderr);
  assert.deepEqual(JSON.parse(restored.stdout).files_left, [second, later]);
  for (const path of [second, later]) {
    assert.ok(restored.stderr.includes(`${path} stays: the backup has no delivery like the one`));
  }
  await succeeds(box, "deliver", "sync");
  // Restoring the same deliveries leaves nothing behind.
  const again = await box.json("restore", copy, "--force");
  assert.deepEqual(again.files_left, []);
});
