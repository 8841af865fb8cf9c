import assert from "node:assert/strict";
import { join } from "node:path";
import { isRekeyError } from "../../src/core/errors.ts";
import {
  accessOf,
  type Descriptor,
  parseDescriptor,
  parseSid,
} from "../../src/system/windows/access_lists.ts";
import { Box } from "../support/process/box.ts";
import { allowed, FakeSecurity, ofProfile, RIGHTS, SIDS } from "../support/windows/security.ts";
import { unsafeFolderOf, WindowsPermissions } from "../../src/system/windows/permissions.ts";

// As <winnt.h> lays it out: a header, the owner, and a list of five entries.
const BYTES = Uint8Array.fromHex([
  "01000490" + "14000000" + "00000000" + "00000000" + "24000000",
  "0102000000000005" + "2000000020020000",
  "0200" + "9000" + "0500" + "0000",
  "00031400" + "ff011f00" + "0101000000000005" + "12000000",
  "00001400" + "a9001200" + "0101000000000001" + "00000000",
  "010b1400" + "ff011f00" + "0101000000000005" + "07000000",
  "05003800" + "01000000" + "01000000" + "00".repeat(16) + "0105000000000005" +
  "1500000001000000" + "0200000003000000" + "ea030000",
  "000b1400" + "000000a0" + "0101000000000003" + "00000000",
].join(""));

Deno.test("a security descriptor is read as Windows lays it out", () => {
  const { owner, entries, isProtected } = parseDescriptor(BYTES);
  assert.deepEqual([owner, isProtected], [SIDS.administrators, true]);
  assert.deepEqual(entries, [
    allowed(SIDS.system, RIGHTS.F, { isInherited: true }),
    allowed(SIDS.everyone, RIGHTS.RX),
    allowed("S-1-5-7", RIGHTS.F, { allows: false, appliesHere: false, isInherited: true }),
    allowed(SIDS.other, 1),
    allowed(SIDS.creator, 0xa0000000, { appliesHere: false, isInherited: true }),
  ]);
  assert.equal(parseSid(BYTES.subarray(20)), SIDS.administrators);
});

Deno.test("a file without an access list is everyone's", () => {
  const bytes = BYTES.slice();
  bytes.fill(0, 16, 20);
  const descriptor = parseDescriptor(bytes);
  assert.equal(descriptor.entries, undefined);
  const { isOpen, othersRead, othersWrite } = accessOf(descriptor, false, SIDS.me);
  assert.deepEqual([isOpen, othersRead, othersWrite], [true, true, true]);
});

const { F, M, RX, X, D } = RIGHTS;
const WRITE_LIST = 0x40000;

/** Who else has what, and what that lets others do: know of it, read, write. */
const JUDGED: readonly (readonly [what: string, Descriptor, open: string])[] = [
  ["a profile's", ofProfile(), ""],
  ["a profile's, of an administrator", { ...ofProfile(), owner: SIDS.administrators }, ""],
  ["its creator's", ofProfile(allowed(SIDS.creator, F, { appliesHere: false })), ""],
  ["one that denies others", ofProfile(allowed(SIDS.users, F, { allows: false })), ""],
  ["one that names others without rights", ofProfile(allowed(SIDS.users, 0)), ""],
  ["one that others may read", ofProfile(allowed(SIDS.users, RX)), "open read"],
  ["one that another user may read", ofProfile(allowed(SIDS.other, 1)), "open read"],
  ["one that others may pass through", ofProfile(allowed(SIDS.everyone, X)), "open"],
  ["one that others may change", ofProfile(allowed(SIDS.users, M)), "open read write"],
  ["one that others may delete", ofProfile(allowed(SIDS.users, D)), "open write"],
  [
    "one whose list others may change",
    ofProfile(allowed(SIDS.users, WRITE_LIST)),
    "open read write",
  ],
  ["a generic right's", ofProfile(allowed(SIDS.users, 0x80000000)), "open read"],
];

for (const [what, descriptor, expected] of JUDGED) {
  Deno.test(`an access list: ${what}`, () => {
    const found = accessOf(descriptor, false, SIDS.me);
    const said = [
      ...found.isOpen ? ["open"] : [],
      ...found.othersRead ? ["read"] : [],
      ...found.othersWrite ? ["write"] : [],
    ];
    assert.equal(said.join(" "), expected);
    assert.deepEqual([found.isMine, found.isPrivate], [true, expected === ""]);
  });
}

Deno.test("another user's file is not this user's, whatever its list says", () => {
  const found = accessOf({ ...ofProfile(), owner: SIDS.other }, false, SIDS.me);
  assert.deepEqual([found.isMine, found.mayFix, found.owner], [false, false, SIDS.other]);
});

Deno.test("a folder is private when it takes nothing from the one above, and hands nothing on", () => {
  const inherited = accessOf(ofProfile(), true, SIDS.me);
  assert.deepEqual([inherited.isPrivate, inherited.isOpen], [false, false]);
  assert.ok(accessOf({ ...ofProfile(), isProtected: true }, true, SIDS.me).isPrivate);
  const handing = ofProfile(allowed(SIDS.users, RX, { appliesHere: false, isInherited: true }));
  const { othersInherit, othersRead, isOpen } = accessOf(handing, true, SIDS.me);
  assert.deepEqual([othersInherit, othersRead, isOpen], [true, false, true]);
});

Deno.test("a list without its own user is shut", () => {
  const entries = [allowed(SIDS.system, F)];
  const { deniesOwner, isPrivate } = accessOf({ ...ofProfile(), entries }, false, SIDS.me);
  assert.deepEqual([deniesOwner, isPrivate], [true, false]);
});

Deno.test("making private: the user, SYSTEM and Administrators, nothing inherited, and read back", () => {
  using box = new Box();
  const file = join(box.home, "f");
  Deno.writeTextFileSync(file, "");
  const open = ofProfile(allowed(SIDS.everyone, F));
  const api = new FakeSecurity({ [file]: open, [box.home]: open });
  const privacy = new WindowsPermissions(api);
  privacy.makePrivate(file);
  privacy.makePrivate(box.home);
  const list = (flags: string) =>
    `D:P(A;${flags};FA;;;S-1-5-18)(A;${flags};FA;;;S-1-5-32-544)(A;${flags};FA;;;${SIDS.me})`;
  assert.deepEqual(api.told, [[file, list("")], [box.home, list("OICI")]]);
  const fat = new WindowsPermissions(new FakeSecurity({ [file]: open }, false));
  assert.throws(() => fat.makePrivate(file), (error) => isRekeyError(error, "database_unusable"));
});

Deno.test("a folder on a drive or share that is not there is refused in words", () => {
  const api = new FakeSecurity({});
  const privacy = new WindowsPermissions(Object.assign(api, { makeFolder: () => true }));
  for (const path of ["Q:\\x\\y", "Q:\\", "\\\\server\\share\\x"]) {
    assert.throws(() => privacy.makeFolder(path), (error) => {
      assert.ok(isRekeyError(error, "database_unusable"), String(error));
      assert.match(error.message, /there is no such drive or share$/);
      return true;
    });
  }
});

Deno.test("the command that an operator is given names everyone who loses rights, once", () => {
  const path = "C:\\Program Data\\k";
  const open = ofProfile(allowed(SIDS.users, RX), allowed(SIDS.users, D), allowed(SIDS.other, F));
  const privacy = new WindowsPermissions(new FakeSecurity({ [path]: open }));
  const own = (inherit: string) =>
    [SIDS.me, SIDS.system, SIDS.administrators].map((sid) => `"*${sid}:${inherit}F"`).join(" ");
  const removed = `/remove:g "*${SIDS.users}" "*${SIDS.other}"`;
  const begin = `icacls "${path}" /inheritance:r /grant:r`;
  assert.equal(privacy.fix(path, "file"), `${begin} ${own("")} ${removed}`);
  assert.equal(privacy.fix(path, "folder"), `${begin} ${own("(OI)(CI)")} ${removed}`);
});

/** Folders on a disk, and links among them. */
const WAY: Record<string, Descriptor> = {
  "C:\\Users": { ...ofProfile(allowed(SIDS.users, RX)), owner: SIDS.system },
  "C:\\Users\\me": ofProfile(),
  "C:\\Users\\me\\link": ofProfile(),
  "C:\\shared": ofProfile(allowed(SIDS.users, M)),
  "C:\\shared\\mine": ofProfile(),
  "C:\\theirs": { ...ofProfile(), owner: SIDS.other },
  "C:\\theirs\\mine": ofProfile(),
  "C:\\drop": ofProfile(allowed(SIDS.users, RX | 0x6)),
  "C:\\drop\\mine": ofProfile(),
};
const LINKS: Record<string, string> = { "C:\\Users\\me\\link": "C:\\shared\\mine" };

const onWay = (path: string) => {
  const infoOf = (at: string) => at in WAY ? { isSymlink: at in LINKS } : undefined;
  const files = { infoOf, readLink: (at: string) => LINKS[at]! };
  return unsafeFolderOf(path, new FakeSecurity(WAY), (at) => `fix ${at}`, files);
};

Deno.test("path ownership: parent directories that others may rename are found, links are followed", () => {
  for (
    const path of ["C:\\Users\\me", "C:\\Users\\me\\new\\er", "C:\\drop\\mine\\x", "C:\\shared"]
  ) {
    assert.equal(onWay(path), undefined, path);
  }
  const shared = { folder: "C:\\shared", isOpen: true, command: "fix C:\\shared" };
  assert.deepEqual(onWay("C:\\shared\\mine"), shared);
  assert.deepEqual(onWay("C:\\shared\\new"), shared);
  assert.deepEqual(onWay("C:\\Users\\me\\link"), shared);
  const theirs = { folder: "C:\\theirs", isOpen: false, command: 'icacls "C:\\theirs"' };
  assert.deepEqual(onWay("C:\\theirs\\mine"), theirs);
});
