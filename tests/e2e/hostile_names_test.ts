import assert from "node:assert/strict";
import { join } from "node:path";
import { Serving } from "../support/http/serving.ts";
import { Box, temporary } from "../support/process/box.ts";

// What a file's name may hold: a line that looks like rekey's own, and what clears a terminal or turns text round.
const NAME = "x\nWARNING: fake\x1b[2J\u202e\u009b2J";

/** A box whose home has such a name. */
function hostileBox(): Box {
  const home = join(temporary(), NAME);
  Deno.mkdirSync(home);
  return new Box({}, home);
}

/** Nothing of the name may stand in an output as it is. */
function mustBePlain(output: string, what: string): void {
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(output, /^WARNING: fake|[\x1b\u202e\u009b]/m, what);
}

/** Command lines, in order, and the status that each ends with: a line that is refused for another reason shows nothing. */
function commandsIn(file: (name: string) => string): [status: number, args: string[]][] {
  return [
    [0, ["init", "--store", "database"]],
    [0, ["status"]],
    [0, ["doctor"]],
    [0, ["store", "show"]],
    [0, ["apps"]],
    [0, ["backup", file("copy")]],
    [1, ["backup", file("copy")]],
    [0, ["restore", file("copy"), "--force"]],
    [1, ["restore", file("missing"), "--force"]],
    [1, ["restore", file("bad"), "--force"]],
    [0, ["rotate", "--force", "--dry-run"]],
    [2, ["rotate", "--force", "--notify-url-file", file("bad")]],
    [2, ["deliver", "add", "a", "--path", file("key"), "--format", "text"]],
    [0, ["deliver", "list"]],
    [2, ["deliver", "show", file("a")]],
    [2, ["deliver", "add", "b", "--path", file("key"), "--preset-file", file("bad")]],
    [2, ["deliver", "remove", file("a")]],
    [126, ["exec", "--", file("bad")]],
    [2, ["import", "--file", file("missing")]],
    [1, ["import", "--file", file("bad"), "--passphrase-file", file("bad")]],
    [2, ["issue", "--sub", "a", "--claims-file", file("missing")]],
    [2, ["audit", "merge", file("missing"), file("bad")]],
    [2, ["audit", "verify-export", file("bad"), "--key", `@${file("missing")}`]],
    [2, ["schedule", "systemd"]],
    [4, ["--kek-file", file("missing"), "status"]],
    [5, ["--kek-file", file("bad"), "doctor"]],
    [4, ["--data-dir", file("none"), "status"]],
    [4, ["--app", "other", "rotate", "--force"]],
    [2, ["serve", "--tls-cert", file("bad"), "--tls-key", file("missing")]],
    [2, ["serve", "--metrics-token-file", file("bad")]],
    [1, ["serve", "--unix", file("none/socket")]],
    [0, ["destroy", "--force"]],
    [4, ["rotate", "--force"]],
  ];
}

for (const flags of [[], ["--json"]]) {
  const title = ["no command prints a path's controls and line ends as they are", ...flags].join(
    " ",
  );
  Deno.test(title, async () => {
    using box = hostileBox();
    const file = (name: string) => join(box.home, name);
    Deno.writeTextFileSync(file("bad"), "bad\n", { mode: 0o644 });
    for (const [status, args] of commandsIn(file)) {
      const { code, stdout, stderr } = await box.run([...flags, ...args]);
      const what = `${args.join(" ")}: ${stdout}${stderr}`;
      assert.equal(code, status, what);
      mustBePlain(stdout + stderr, what);
      const lines = flags.length === 0 ? [] : `${stdout}${stderr}`.split("\n").filter(Boolean);
      lines.forEach((line) => JSON.parse(line));
    }
  });
}

Deno.test("a command that is printed can be pasted, whatever the path is called", async () => {
  for (const shell of ["/bin/sh", "/bin/bash", "/usr/bin/zsh"]) {
    for (const name of [NAME, "it's\n\\007 & `y` z", "\u0085ä\tz"]) {
      const home = join(temporary(), name);
      Deno.mkdirSync(home);
      using box = new Box({}, home);
      assert.equal((await box.run(["init", "--store", "database"])).code, 0);
      Deno.chmodSync(box.database, 0o644);
      const { code, stdout } = await box.run(["doctor"]);
      assert.equal(code, 5);
      const [, command = ""] = /^ *\$ (chmod 600 .*)$/m.exec(stdout) ?? [];
      const pasted = await box.exec(shell, ["-c", command]);
      assert.deepEqual([pasted.code, pasted.stderr], [0, ""], command);
      assert.equal(Deno.statSync(box.database).mode! & 0o777, 0o600, command);
      assert.equal((await box.run(["doctor"])).code, 0);
    }
  }
});

Deno.test("serve says where it listens in one line, whatever the socket is called", async () => {
  using box = hostileBox();
  assert.equal((await box.run(["init", "--store", "database"])).code, 0);
  await using serving = await Serving.start(box, ["--unix", join(box.home, "s")]);
  mustBePlain(serving.stderr, serving.stderr);
  assert.match(serving.stderr, /^listening on \/.*x\\u\{a\}WARNING: fake\\u\{1b\}.*\/s$/m);
});
