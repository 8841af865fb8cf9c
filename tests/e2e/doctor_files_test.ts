import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { dirname, join } from "node:path";
import { Box, IS_COMPILED, REKEY } from "../support/process/box.ts";
import { examined, fixes, follow, found, type Printed } from "../support/commands/doctor.ts";
import { CAN_MOUNT, fillDisk, Mount, unless } from "../support/faults/faults.ts";
import { initialised } from "../support/process/initialised.ts";

const TOOLS = dirname(REKEY);

Deno.test("doctor: wrong modes are found, and fixed by hand and with --fix", async () => {
  using box = await initialised();
  Deno.chmodSync(box.database, 0o666);
  await follow(box, await found(box, "file_mode"), TOOLS);
  assert.ok((await examined(box)).healthy);
  Deno.chmodSync(dirname(box.database), 0o777);
  Deno.chmodSync(join(box.home, ".config/rekey"), 0o755);
  await found(box, "file_mode");
  await fixes(box, "file_mode");
});

Deno.test("doctor without --fix changes no mode and makes no file, and finds the same again", async () => {
  using box = await initialised();
  await box.run(["rotate", "--force"]);
  const copies = ["v1.backup", "schema16.backup", "former", "damaged-2"]
    .map((end) => `${box.database}.${end}`);
  for (const copy of copies.slice(1)) Deno.writeTextFileSync(copy, "");
  const places = [...box.files().keys()].filter((path) => path.startsWith(dirname(box.database)));
  for (const path of places) Deno.chmodSync(path, 0o644);
  const open = ({ findings }: { findings: Printed[] }) =>
    findings.filter(({ code }) => code === "file_mode").map(({ what }) => what).sort();
  const first = open(await examined(box));
  assert.deepEqual(first, places.map((path) => `${path} has mode 0644`).sort());
  assert.deepEqual(open(await examined(box)), first);
  const there = [...box.files().keys()];
  Deno.removeSync(`${box.database}.turn.lock`);
  await examined(box);
  assert.deepEqual(
    [...box.files().keys()].sort(),
    there.filter((path) => !path.endsWith(".turn.lock")).sort(),
  );
  const { fixed } = await box.json("doctor", "--fix");
  const left = first.filter((what) => !what.includes(".turn.lock"));
  assert.deepEqual(fixed.map(({ what }: Printed) => what).sort(), left);
  for (const copy of copies) assert.equal(Deno.statSync(copy).mode! & 0o777, 0o600, copy);
});

Deno.test("doctor: a named folder keeps its mode, unless others can write to it", async () => {
  using box = new Box();
  const folder = join(box.home, "shared");
  Deno.mkdirSync(folder);
  Deno.chmodSync(folder, 0o755);
  await box.run(["init", "--data-dir", folder]);
  assert.ok((await examined(box, ["--data-dir", folder])).healthy);
  Deno.chmodSync(folder, 0o775);
  await found(box, "file_mode", ["--data-dir", folder]);
  await box.run(["doctor", "--fix", "--data-dir", folder]);
  assert.equal(Deno.statSync(folder).mode! & 0o777, 0o755);
});

Deno.test("doctor: a parent directory that everyone can write to is found", async () => {
  using box = await initialised();
  const open = join(box.home, ".local");
  Deno.chmodSync(open, 0o777);
  await follow(box, await found(box, "way_unsafe"), TOOLS);
  assert.ok((await examined(box)).healthy);
});

Deno.test({
  name: "doctor: a file that sudo has made is found",
  ignore: unless(Deno.uid() === 0, "root"),
  async fn() {
    using box = await initialised();
    Deno.chownSync(`${box.database}.lock`, 65_534, 65_534);
    const { findings } = await examined(box);
    const finding = findings.find(({ code }) => code === "file_owner");
    assert.equal(finding?.command, `chown 0 ${box.database}.lock`);
    await follow(box, finding!, TOOLS);
    assert.ok((await examined(box)).healthy);
    const folder = dirname(box.database);
    Deno.chownSync(folder, 65_534, 65_534);
    const theirs = (await examined(box)).findings.find(({ what }) => what.startsWith(`${folder} `));
    assert.equal(theirs?.command, `# run rekey as the owner of ${folder} (uid 65534)`);
  },
});

Deno.test({
  name: "doctor: a disk that is full or nearly full is found",
  ignore: unless(CAN_MOUNT, "root that may mount"),
  async fn() {
    using box = await initialised();
    const folder = dirname(box.database);
    using _disk = Mount.smallDisk(folder, 16_384);
    const { command } = await found(box, "disk_low");
    assert.equal(
      command,
      `du -xah ${folder} | sort -h | tail`,
      "the disk that is full, and no other",
    );
    await follow(box, { command } as Printed, TOOLS);
    using _filled = fillDisk(folder, 100);
    await found(box, "disk_full");
  },
});

Deno.test("doctor: folders that links lead to, as a home on another disk and managers of dotfiles make them", async () => {
  for (const linked of [".local/share/agiworkforce", ".config/rekey", ".local", ".config"]) {
    using box = new Box();
    const place = join(box.home, "elsewhere");
    Deno.mkdirSync(place, { mode: 0o700 });
    Deno.mkdirSync(dirname(join(box.home, linked)), { recursive: true });
    Deno.symlinkSync(place, join(box.home, linked));
    assert.equal((await box.run(["init"])).code, 0);
    assert.deepEqual((await examined(box)).findings, [], linked);
    await box.run(["rotate", "--force", "--grace", "1h"]);
    assert.ok((await examined(box)).healthy);
    // It is the folder that counts, and its mode can be put right.
    const folder = linked.includes("config") ? ".config/rekey" : ".local/share/agiworkforce";
    Deno.chmodSync(Deno.realPathSync(join(box.home, folder)), 0o755);
    await follow(box, await found(box, "file_mode"), TOOLS);
    assert.ok((await examined(box)).healthy, linked);
  }
});

Deno.test("doctor: a link to a missing disk is reported, and is not a bug", async () => {
  using box = new Box();
  Deno.mkdirSync(join(box.home, ".local/share"), { recursive: true });
  Deno.symlinkSync("/nowhere/at/all", dirname(box.database));
  const { findings } = await examined(box);
  assert.deepEqual(findings.map(({ code }) => code), ["database_unusable"]);
});

Deno.test("doctor: a folder that cannot be looked at is reported, and is not a bug", async () => {
  using box = await initialised();
  const [loop, file] = [join(box.home, "loop"), join(box.home, "file")];
  Deno.symlinkSync("loop", loop);
  Deno.writeTextFileSync(file, "");
  for (const folder of [loop, join(loop, "inside"), file, join(box.home, "n".repeat(300))]) {
    await found(box, "database_unusable", ["--data-dir", folder]);
  }
  await found(box, "kek_missing", [], { env: { XDG_CONFIG_HOME: loop } });
});

Deno.test("doctor: a configuration folder that holds no key of rekey's is not checked", async () => {
  using box = new Box();
  const key = join(box.home, "kek");
  Deno.writeTextFileSync(key, `${"ab".repeat(32)}\n`, { mode: 0o600 });
  Deno.mkdirSync(join(box.home, ".config/rekey"), { recursive: true, mode: 0o755 });
  await box.run(["init", "--kek-file", key]);
  assert.deepEqual((await examined(box, ["--kek-file", key])).findings, []);
});

Deno.test({
  name:
    "doctor: a key file on a read-only mount, whatever its mode, is no alarm that nothing can end",
  ignore: unless(CAN_MOUNT, "root that may mount"),
  async fn() {
    using box = new Box();
    const folder = join(box.home, "mounted");
    const key = join(folder, "kek");
    Deno.mkdirSync(folder);
    Deno.writeTextFileSync(key, `${"ab".repeat(32)}\n`, { mode: 0o400 });
    const flags = ["--kek-file", key];
    await box.run(["init", ...flags]);
    for (const [mode, expected] of [[0o400, []], [0o600, []], [0o444, ["kek_readable"]]] as const) {
      Deno.chmodSync(key, mode);
      using _mount = Mount.readOnly(folder);
      const { healthy, findings } = await examined(box, flags);
      assert.ok(healthy, JSON.stringify(findings));
      assert.deepEqual(findings.map(({ code }) => code), expected);
      assert.deepEqual(findings.map(({ command }) => command), expected.map(() => null));
    }
    // Where its mode can be changed the proposal works.
    await follow(box, await found(box, "kek_exposed", flags), TOOLS);
    assert.deepEqual((await examined(box, flags)).findings, []);
  },
});

Deno.test({
  name: "doctor: the folder of the key file on a read-only mount",
  ignore: unless(CAN_MOUNT, "root that may mount"),
  async fn() {
    using box = await initialised();
    const folder = join(box.home, ".config/rekey");
    Deno.chmodSync(folder, 0o500);
    using _mount = Mount.readOnly(folder);
    assert.deepEqual((await examined(box)).findings, []);
  },
});

Deno.test({
  name: "doctor: one wrong bit in what the build has put behind the runtime is found",
  ignore: unless(IS_COMPILED, "the executable"),
  async fn() {
    using box = await initialised();
    const copy = join(box.home, "rekey");
    const file = await Deno.readFile(REKEY);
    const codes = async () => {
      await Deno.writeFile(copy, file, { mode: 0o755 });
      const { code, stdout } = await box.exec(copy, ["doctor", "--json"]);
      const { findings } = JSON.parse(stdout);
      return [code, findings.map((one: { code: string }) => one.code)];
    };
    assert.deepEqual(await codes(), [0, []]);
    // What doctor itself does not use: another system's script, and the page of serve.
    for (const name of ["elsewhere.js", "page-files.js.br"]) {
      const part = await Deno.readFile(join(import.meta.dirname!, "../../dist/build", name));
      const at = indexOf(file, part) + Math.floor(part.length / 2);
      file[at]! ^= 1;
      assert.deepEqual(await codes(), [5, ["executable_damaged"]], name);
      const { stdout, stderr } = await box.exec(copy, ["doctor"]);
      assert.match(stdout, /^ {8}install rekey again$/m);
      assert.match(stderr, /^hint: Do what is shown with each problem$/m, "it is no command");
      file[at]! ^= 1;
    }
  },
});

function indexOf(file: Uint8Array, part: Uint8Array): number {
  const at = Buffer.from(file.buffer).lastIndexOf(part);
  assert.ok(at > 0);
  return at;
}
