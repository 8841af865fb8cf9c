import assert from "node:assert/strict";
import { join } from "node:path";
import type { Box } from "../support/process/box.ts";
import { initialised } from "../support/process/initialised.ts";

/** Adds a delivery of a preset of its own, with an HTTP probe at a URL that `--set at=` begins. */
function addProbed(box: Box, name: string, url: string, at: string) {
  const path = join(box.home, `${name}.json`);
  const preset = {
    ...{ name, summary: "x", program: "x", role: "verifier", keys: "many", format: "jwks" },
    ...{ algorithms: ["HS512"], reload_kind: "at once", connections: "x" },
    parameters: { at: { about: "where it is" } },
    probe: { http: { url, accepted: [200], refused: [401] }, timeout_s: 1 },
  };
  Deno.writeTextFileSync(path, JSON.stringify(preset));
  const flags = ["--preset-file", path, "--path", join(box.home, name), "--set", `at=${at}`];
  return box.run(["deliver", "add", name, ...flags]);
}

Deno.test("a probe names its address, without what may be a password or a token", async () => {
  using box = await initialised();
  await using broken = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response(null, { status: 500 }),
  );
  const place = `127.0.0.1:${broken.addr.port}/me`;
  const url = "{{at}}?key=sesame&t={{token}}#here";
  const said = async (name: string, at: string) => (await addProbed(box, name, url, at)).stderr;
  assert.match(
    await said("open", `http://${place}`),
    new RegExp(`got status 500 from http://${place}\\s`),
  );
  const withPassword = await said("password", `http://op:hunter2@${place}`);
  assert.match(withPassword, new RegExp(` http://${place}\\s`));
  const down = await said("down", "http://127.0.0.1:1/x");
  assert.match(down, /its probe could not reach http:\/\/127.0.0.1:1\/x\s/);
  assert.match(await said("none", "x"), /its probe could not reach what is not a URL/);
  const shown = await box.run(["deliver", "list", "--json"]);
  const log = await box.run(["audit", "list", "--json"]);
  for (const text of [withPassword, shown.stdout, log.stdout]) {
    assert.doesNotMatch(text, /hunter2|sesame|eyJ/);
  }
});

/** Paths at which no file can be, as what each is told. */
const IMPOSSIBLE: [name: string, make: (path: string) => void, told: RegExp][] = [
  ["link", (path) => Deno.symlinkSync(`${path}.real`, path), /it is a symbolic link/],
  ["folder", (path) => Deno.mkdirSync(path), /it is a folder/],
  ["n".repeat(250), () => {}, /the name is too long/],
  ["n".repeat(300) + "/key", () => {}, /the name is too long/],
  ["a/".repeat(2_200) + "key", () => {}, /the name is too long/],
  ["file/key", (path) => Deno.writeTextFileSync(join(path, ".."), "x"), /file is not a folder/],
  ["file/sub/key", () => {}, /file is not a folder/],
];

Deno.test("a path at which no file can be is refused when the delivery is added, also with --force", async () => {
  using box = await initialised();
  for (const [name, make, told] of IMPOSSIBLE) {
    const path = join(box.home, name);
    make(path);
    for (const force of [[], ["--force"]]) {
      const flags = ["--format", "text", "--path", path, ...force];
      const added = await box.run(["deliver", "add", "api", ...flags]);
      assert.match(added.stderr, told, name.slice(0, 20));
      assert.equal(added.code, 4, added.stderr);
    }
  }
  assert.equal((await box.run(["deliver", "list"])).stdout, "");
});

Deno.test("a file in the place of a delivery's folder is refused when the delivery is added", async () => {
  using box = await initialised();
  const [path, file] = [join(box.home, "preset.json"), join(box.home, "file")];
  const preset = {
    ...{ name: "own", summary: "x", program: "x", role: "verifier", keys: "many", format: "text" },
    ...{ algorithms: ["HS512"], reload_kind: "at once", connections: "x" },
    ...{ layout: "folder", file_name: "{{kid}}" },
  };
  Deno.writeTextFileSync(path, JSON.stringify(preset));
  Deno.writeTextFileSync(file, "mine");
  const flags = ["--preset-file", path, "--path", file, "--force"];
  const added = await box.run(["deliver", "add", "own", ...flags]);
  assert.match(added.stderr, /Cannot use \S*\/file: \S*\/file is not a folder/);
  assert.equal((await box.run(["deliver", "list"])).stdout, "");
  assert.equal(Deno.readTextFileSync(file), "mine");
});
