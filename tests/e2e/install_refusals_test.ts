import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { CAN_MOUNT, Mount, unless } from "../support/faults/faults.ts";
import {
  DASH,
  HERE,
  install,
  INSTALLER,
  names,
  PATH,
  prepared,
  SHELLS,
  TARGETS,
  withSums,
} from "../support/executables/installing.ts";
import { served, smallRelease, sums, VERSION } from "../support/executables/releases.ts";

for (const shell of SHELLS) {
  Deno.test({
    name: `install.sh leaves nothing of what is wrong, by ${shell.join(" ")}`,
    ignore: unless(existsSync(shell[0]!), shell[0]!),
    async fn() {
      const whole = smallRelease(TARGETS);
      const name = `rekey-${VERSION}-${HERE}`;
      const list = whole.get("SHA256SUMS")!;
      const line = list.split("\n").find((line) => line.endsWith(name))!;
      const changed = (file: string, content: string) => new Map([...whole, [file, content]]);
      const cases: [string, ReadonlyMap<string, string>, RegExp][] = [
        ["another file", changed(name, "#!/bin/sh\necho evil\n"), /has the hash .* not installed/],
        ["an entry missing", changed("SHA256SUMS", list.replace(line, "")), /lists no rekey for/],
        ["two entries", changed("SHA256SUMS", `${list}${line}\n`), /lists several|not one hash/],
        ["a torn hash", changed("SHA256SUMS", list.replace(line, line.slice(3))), /not one hash/],
        ["no hash", changed("SHA256SUMS", list.replace(line, `  ${name}`)), /lists no rekey for/],
        ["a page", changed("SHA256SUMS", "<html>not found</html>"), /lists no rekey for/],
        ["no list", new Map([...whole].filter(([file]) => file !== "SHA256SUMS")), /no SHA256SUMS/],
        ["no file", new Map([...whole].filter(([file]) => file !== name)), /there is no rekey-/],
        ["what does not run", withSums(name, "#!/nowhere\n"), /does not run here/],
      ];
      for (const [what, files, message] of cases) {
        const { box, from, to } = prepared(files);
        using _ = box;
        Deno.writeTextFileSync(join(to, "rekey"), "older\n");
        const { code, stdout, stderr } = await install(box, ["--from", from, "--to", to], {
          shell,
        });
        assert.deepEqual([code, stdout], [1, ""], `${what}: ${stderr}`);
        assert.match(stderr, message, what);
        assert.deepEqual(names(to), ["rekey"], what);
        assert.equal(Deno.readTextFileSync(join(to, "rekey")), "older\n", what);
      }
    },
  });
}

Deno.test("install.sh takes no file that was cut off on the way", async () => {
  const { box, to, files } = prepared();
  using _ = box;
  for (const cut of ["SHA256SUMS", `rekey-${VERSION}-${HERE}`]) {
    const server = served(files, [cut]);
    const from = `http://127.0.0.1:${server.addr.port}`;
    const { code, stderr } = await install(box, ["--from", from, "--to", to]);
    await server.shutdown();
    assert.equal(code, 1, stderr);
    assert.match(stderr, new RegExp(`cannot download .*${cut}`));
    assert.deepEqual(names(to), []);
  }
});

Deno.test("install.sh uses no unsafe path", async () => {
  const { box, from, to, files } = prepared();
  using _ = box;
  const elsewhere = new Map([...files].map(([name]) => [name, `->file://${from}/${name}`]));
  const server = served(elsewhere);
  const cases: [string, RegExp][] = [
    [`http://127.0.0.1:${server.addr.port}`, /cannot download/],
    ["http://example.org/rekey", /only https/],
    ["ftp://example.org/rekey", /only https/],
    ["http://localhost:1@example.org/", /without a user/],
  ];
  for (const [place, message] of cases) {
    const { code, stderr } = await install(box, ["--from", place, "--to", to]);
    assert.equal(code, 1, place);
    assert.match(stderr, message, place);
    assert.deepEqual(names(to), []);
  }
  await server.shutdown();
});

Deno.test({
  name: "install.sh on a full disk leaves what was there",
  ignore: unless(CAN_MOUNT, "root and mount namespaces"),
  async fn() {
    const { box, from, to } = prepared(withSums(`rekey-${VERSION}-${HERE}`, "#".repeat(200_000)));
    using _ = box;
    Deno.writeTextFileSync(join(to, "rekey"), "older\n");
    using _disk = Mount.smallDisk(to, 64);
    const { code, stderr } = await install(box, ["--from", from, "--to", to]);
    assert.equal(code, 1, stderr);
    assert.match(stderr, /cannot copy .*\nHint: Is the disk full\?/);
    assert.deepEqual(names(to), ["rekey"]);
  },
});

Deno.test("install.sh that was cut off on the way does nothing", async () => {
  const { box, from, to } = prepared();
  using _ = box;
  const script = Deno.readTextFileSync(INSTALLER);
  const last = script.trimEnd().lastIndexOf("\n");
  const cuts = Array.from({ length: 40 }, (_, index) => Math.floor(last * index / 40));
  for (const cut of [...cuts, last, last + 1, last + 4]) {
    const path = join(box.home, "cut.sh");
    Deno.writeTextFileSync(path, script.slice(0, cut));
    await box.exec(DASH[0]!, [path, "--from", from, "--to", to], { env: { PATH } });
    assert.deepEqual(names(to), [], `${cut} bytes`);
  }
  assert.equal((await install(box, ["--from", from, "--to", to])).code, 0, "whole it installs");
});

Deno.test("install.sh asks which of several versions, and says what it does not understand", async () => {
  const both = new Map([...smallRelease(TARGETS), ...smallRelease(TARGETS, "1.10.0")]);
  both.set("SHA256SUMS", sums(new Map([...both].filter(([name]) => name !== "SHA256SUMS"))));
  const { box, from, to } = prepared(both);
  using _ = box;
  const cases: [number, RegExp, string[]][] = [
    [1, /lists several: .*1\.10\.0.*\nHint: Choose one with --version/, ["--from", from]],
    [1, /lists no rekey 1\.1 for/, ["--from", from, "--version", "1.1"]],
    [1, /lists no rekey 1\.10 for/, ["--from", from, "--version", "1.10"]],
    [2, /where the release is/, []],
    [2, /--to needs a value/, ["--from", from, "--to"]],
    [2, /--to begins with ~/, ["--from", from, "--to", "~/.local/bin"]],
    [2, /no option --form/, ["--form", from]],
    [1, /is a folder/, ["--from", from, "--version", VERSION, "--to", join(box.home, "taken")]],
  ];
  Deno.mkdirSync(join(box.home, "taken/rekey"), { recursive: true });
  for (const [expected, message, args] of cases) {
    const { code, stderr } = await install(box, ["--to", to, ...args]);
    assert.equal(code, expected, `${args}: ${stderr}`);
    assert.match(stderr, message);
    assert.deepEqual(names(to), []);
  }
  const chosen = await install(box, ["--from", from, "--to", to, "--version", "1.10.0"]);
  assert.match(chosen.stdout, /^Installed rekey 1\.10\.0 as/);
});
