import assert from "node:assert/strict";
import { join } from "node:path";
import { isRekeyError } from "../../src/core/errors.ts";
import {
  digestOfBytes,
  digestOnDisk,
  hasRights,
  removePartials,
  removeTarget,
  writeTarget,
} from "../../src/deliver/write_target.ts";
import { makeFolders, type Rights, SafeFolders } from "../../src/deliver/target_folders.ts";
import { CAN_MOUNT, fillDisk, Mount, unless } from "../support/faults/faults.ts";
import { temporary } from "../support/process/box.ts";

const PRIVATE: Rights = { user: undefined, group: undefined, mode: 0o600 };
const OLD = new TextEncoder().encode("old");
const NEW = new TextEncoder().encode("new, and longer");

/** A folder with a file that rekey wrote. */
async function place(): Promise<{ folder: string; path: string } & Disposable> {
  const folder = temporary();
  const path = join(folder, "keys");
  await writeTarget(path, OLD, PRIVATE);
  return { folder, path, [Symbol.dispose]: () => Deno.removeSync(folder, { recursive: true }) };
}

const names = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();

async function refused(work: () => unknown, pattern: RegExp): Promise<void> {
  await assert.rejects(async () => await work(), (error) => {
    assert.ok(isRekeyError(error), String(error));
    assert.match(error.message, pattern);
    return true;
  });
}

Deno.test("a file gets its contents and mode with its name, and no other file stays", async () => {
  using at = await place();
  const before = Deno.statSync(at.path).ino;
  const open = Deno.openSync(at.path);
  await writeTarget(at.path, NEW, { ...PRIVATE, mode: 0o640 });
  const { ino, mode } = Deno.statSync(at.path);
  assert.notEqual(ino, before, "the old file must stay whole for those who have it open");
  assert.equal(mode! & 0o7777, 0o640);
  assert.equal(digestOnDisk(at.path), digestOfBytes(NEW));
  assert.ok(hasRights(at.path, { ...PRIVATE, mode: 0o640 }));
  assert.ok(!hasRights(at.path, PRIVATE));
  const held = new Uint8Array(10);
  assert.deepEqual(held.subarray(0, open.readSync(held)!), OLD);
  open.close();
  assert.deepEqual(names(at.folder), ["keys"]);
});

Deno.test("what a killed command left is deleted, and nothing else", async () => {
  using at = await place();
  for (const name of [".keys.rekey-abc", ".keys", ".other.rekey-abc"]) {
    Deno.writeTextFileSync(join(at.folder, name), "x");
  }
  removePartials(at.path);
  assert.deepEqual(names(at.folder), [".keys", ".other.rekey-abc", "keys"]);
});

Deno.test("no file is written through a link, or in the place of a folder", async () => {
  using at = await place();
  const [link, victim, folder] = ["link", "victim", "sub"].map((name) => join(at.folder, name)) as [
    string,
    string,
    string,
  ];
  Deno.writeTextFileSync(victim, "victim");
  Deno.symlinkSync(victim, link);
  Deno.mkdirSync(folder);
  for (const path of [link, folder]) {
    await refused(() => writeTarget(path, NEW, PRIVATE), /symbolic link|a folder/);
    await refused(() => digestOnDisk(path), /symbolic link|a folder/);
  }
  assert.equal(Deno.readTextFileSync(victim), "victim");
  assert.deepEqual(names(at.folder), ["keys", "link", "sub", "victim"]);
});

Deno.test("of files that are written together one that cannot be leaves no trace, and the others are written", async () => {
  using at = await place();
  const path = (name: string) => join(at.folder, name);
  Deno.mkdirSync(path("sub"));
  // The longest name has no room for the ending of the temporary one.
  const all = ["a", "sub", "n".repeat(255), "b"];
  const endings = await Promise.allSettled(
    all.map((name) => writeTarget(path(name), NEW, PRIVATE)),
  );
  assert.deepEqual(endings.map(({ status }) => status === "fulfilled"), [true, false, false, true]);
  assert.deepEqual(names(at.folder), ["a", "b", "keys", "sub"]);
  for (const name of ["a", "b"]) assert.equal(digestOnDisk(path(name)), digestOfBytes(NEW));
});

Deno.test("of files that are written together each folder is checked, for each group", async () => {
  using at = await place();
  const folders = new SafeFolders();
  folders.refuseUnsafe(at.path, PRIVATE);
  const open = join(at.folder, "open");
  const file = join(open, "keys");
  Deno.mkdirSync(open);
  Deno.chmodSync(open, 0o770);
  if (Deno.uid() === 0) {
    Deno.chownSync(open, 0, 4_242);
    folders.refuseUnsafe(file, { ...PRIVATE, group: 4_242 });
    await refused(() => folders.refuseUnsafe(file, PRIVATE), /a group can write/);
  }
  Deno.chmodSync(open, 0o777);
  for (let again = 0; again < 2; again++) {
    await refused(() => folders.refuseUnsafe(file, PRIVATE), /can be written by every user/);
  }
});

Deno.test("a folder that other users can write to is refused", async () => {
  using at = await place();
  Deno.chmodSync(at.folder, 0o777);
  await refused(() => writeTarget(at.path, NEW, PRIVATE), /can be written by every user/);
  Deno.chmodSync(at.folder, 0o755);
  assert.equal(digestOnDisk(at.path), digestOfBytes(OLD));
});

const IS_ROOT = Deno.uid() === 0;

Deno.test({
  name: "a folder of another user or group is used only for files of theirs",
  ignore: unless(IS_ROOT, "root"),
  async fn() {
    using at = await place();
    Deno.chownSync(at.folder, 4_242, 4_242);
    await refused(() => writeTarget(at.path, NEW, PRIVATE), /belongs to another user/);
    await writeTarget(at.path, NEW, { user: 4_242, group: 4_242, mode: 0o640 });
    const { uid, gid } = Deno.statSync(at.path);
    assert.deepEqual([uid, gid], [4_242, 4_242]);
    Deno.chownSync(at.folder, 0, 4_242);
    Deno.chmodSync(at.folder, 0o775);
    await refused(() => writeTarget(at.path, NEW, PRIVATE), /a group can write/);
    await writeTarget(at.path, OLD, { ...PRIVATE, group: 4_242 });
  },
});

Deno.test({
  name: "a full disk leaves the old file whole, and says so",
  ignore: unless(CAN_MOUNT, "mount"),
  async fn() {
    using at = await place();
    using _disk = Mount.smallDisk(at.folder, 256);
    using _filler = fillDisk(at.folder, 0);
    await refused(() => writeTarget(at.path, new Uint8Array(100_000), PRIVATE), /the disk is full/);
    assert.equal(digestOnDisk(at.path), digestOfBytes(OLD));
    assert.deepEqual(names(at.folder), ["filler", "keys"]);
  },
});

Deno.test({
  name: "a read-only folder is named, and the old file stays",
  ignore: unless(CAN_MOUNT, "mount"),
  async fn() {
    using at = await place();
    using _mount = Mount.readOnly(at.folder);
    await refused(() => writeTarget(at.path, NEW, PRIVATE), /keys: the file system is read-only/);
    await refused(() => removeTarget(at.path, PRIVATE), /the file system is read-only/);
    assert.equal(digestOnDisk(at.path), digestOfBytes(OLD));
  },
});

Deno.test("missing folders are made: of the delivery with its rights, others to enter", async () => {
  using at = await place();
  const ours = join(at.folder, "run", "keys");
  const path = join(ours, "default", "HS512", "kid");
  const rights = { ...PRIVATE, mode: 0o640 };
  makeFolders(path, ours, rights);
  await writeTarget(path, NEW, rights);
  const modes = ["run", "run/keys", "run/keys/default/HS512"]
    .map((name) => Deno.statSync(join(at.folder, name)).mode! & 0o7777);
  assert.deepEqual(modes, [0o755, 0o750, 0o750]);
  removeTarget(path, rights);
  removeTarget(path, rights);
  assert.equal(digestOnDisk(path), undefined);
});
