import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { Box } from "../support/process/box.ts";
import { assertPlainRefusal } from "../support/faults/faults.ts";

const VICTIM = "a file of the same user's that must stay as it is";

/** A box in use, with a file that links lead to. */
async function boxWithVictim(): Promise<{ box: Box; victim: string; unharmed: () => void }> {
  const box = new Box();
  await box.run(["init"]);
  await box.run(["rotate", "--force"]);
  const victim = join(box.home, "victim");
  Deno.writeTextFileSync(victim, VICTIM);
  Deno.chmodSync(victim, 0o644);
  const unharmed = () => {
    assert.equal(Deno.readTextFileSync(victim), VICTIM);
    assert.equal(Deno.statSync(victim).mode! & 0o777, 0o644);
  };
  return { box, victim, unharmed };
}

/** Puts a link in the place of a file until the block ends. */
function replaceByLink(path: string, target: string): Disposable {
  const aside = `${path}.aside`;
  const there = [...Deno.readDirSync(dirname(path))].some(({ name }) => path.endsWith(`/${name}`));
  if (there) Deno.renameSync(path, aside);
  Deno.symlinkSync(target, path);
  return {
    [Symbol.dispose]() {
      Deno.removeSync(path);
      if (there) Deno.renameSync(aside, path);
    },
  };
}

for (const ending of ["", "-wal", "-shm", "-journal", ".lock"]) {
  Deno.test(`a symbolic link in the place of the database${ending} is not followed`, async () => {
    const { box, victim, unharmed } = await boxWithVictim();
    using _box = box;
    const commands = [["rotate", "--force"], ["backup", join(box.home, "backup.db")], ["init"]];
    for (const target of [victim, join(box.home, "nothing-there")]) {
      using _link = replaceByLink(box.database + ending, target);
      for (const args of commands) {
        const ended = await box.run(args);
        // Who changes nothing needs no lock; and SQLite takes no journal from nowhere.
        if (ended.code !== 0) assertPlainRefusal(ended);
        else assert.ok(ending === ".lock" && args[0] === "init" || ending === "-journal");
      }
      unharmed();
      assert.throws(() => Deno.lstatSync(join(box.home, "nothing-there")), Deno.errors.NotFound);
    }
    const { version } = await box.json("status");
    assert.equal((await box.json("rotate", "--force")).version, version + 1, "well without it");
  });
}

Deno.test("a symbolic link in the place of a backup is not written through", async () => {
  const { box, victim, unharmed } = await boxWithVictim();
  using _box = box;
  const backup = join(box.home, "backup.db");
  Deno.symlinkSync(victim, backup);
  const { code, stderr } = await box.run(["backup", backup]);
  assert.equal(code, 1, stderr);
  assert.match(stderr, /it already exists/);
  // An automatic copy takes the place of whatever has its name.
  const automatic = `${box.database}.v2.backup`;
  Deno.symlinkSync(victim, automatic);
  assert.equal((await box.json("rotate", "--force")).version, 3);
  assert.ok(Deno.lstatSync(automatic).isFile);
  unharmed();
});

Deno.test("a symbolic link in the place of the key file is read at most, and never written", async () => {
  const { box, victim, unharmed } = await boxWithVictim();
  using _box = box;
  const { kek: { source } } = await box.json("status");
  {
    using _link = replaceByLink(source, victim);
    const refused = await box.run(["rotate", "--force"]);
    assertPlainRefusal(refused);
    assert.match(refused.stderr, /a KEK is 32 bytes/);
    unharmed();
  }
  assert.equal((await box.json("rotate", "--force")).version, 3);
});

Deno.test("a key file that others can read is corrected before it is used", async () => {
  using box = new Box();
  await box.run(["init"]);
  const { kek: { source } } = await box.json("status");
  for (const mode of [0o644, 0o666, 0o640]) {
    Deno.chmodSync(source, mode);
    assert.equal((await box.run(["issue", "--sub", "a"])).code, 0);
    assert.equal(Deno.statSync(source).mode! & 0o777, 0o600);
  }
});
