import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { checkIntegrity, kept } from "../../scripts/downloads.ts";
import {
  binaryNameOf,
  executableName,
  HOST,
  nameOf,
  partsOf,
  PINNED,
  targetNamed,
} from "../../scripts/target.ts";

const archive = () => new TextEncoder().encode("an archive");
const integrity = `sha512-${createHash("sha512").update(archive()).digest("base64")}`;
const check = (content: Uint8Array) => checkIntegrity(content, integrity);

Deno.test("a package that differs from deno.lock in one bit is refused", () => {
  check(archive());
  const changed = archive();
  changed[3]! ^= 1;
  assert.throws(() => check(changed), /its hash is/);
});

Deno.test("what was downloaded is kept, looked at each time, and not kept when it is refused", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "rekey-test-" });
  try {
    let downloads = 0;
    const get = (content: Uint8Array) =>
      kept("x.tgz", check, () => (downloads++, Promise.resolve(content)), folder);
    await assert.rejects(get(new Uint8Array(3)), /its hash is/);
    assert.deepEqual([...Deno.readDirSync(folder)], []);
    const path = await get(archive());
    assert.equal(await get(archive()), path);
    assert.equal(downloads, 2);
    assert.deepEqual(Deno.readFileSync(path), archive());
    Deno.writeTextFileSync(path, "another archive");
    await assert.rejects(get(archive()), /its hash is .*x\.tgz is wrong: delete it$/);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("kinds of machines have the names of what is released for them", () => {
  const others = ["darwin-x64", "darwin-arm64", "windows-x64"];
  assert.deepEqual(PINNED.map(nameOf), ["linux-x64", "linux-arm64", ...others]);
  for (const target of PINNED) assert.equal(targetNamed(nameOf(target)), target);
  assert.throws(() => targetNamed("linux-riscv64"), /linux-riscv64.*linux-arm64/);
  assert.equal(partsOf(binaryNameOf(HOST)), "dist/build");
  assert.equal(partsOf("rekey-linux-arm64"), "dist/build-linux-arm64");
  const windows = binaryNameOf(targetNamed("windows-x64"));
  assert.equal(windows, executableName("rekey-windows-x64", "x86_64-pc-windows-msvc"));
  assert.deepEqual([windows, partsOf(windows)], [
    "rekey-windows-x64.exe",
    "dist/build-windows-x64",
  ]);
});
