import assert from "node:assert/strict";
import { join } from "node:path";
import { everyNthByBinary } from "../support/commands/in_process.ts";
import { Box } from "../support/process/box.ts";
import { initialised } from "../support/process/initialised.ts";
import { ageFlags, prepared } from "../support/store/backing_up.ts";

/** Words that may be a password, in each place of a line, and what is said in place of them. */
const PASSWORDS: [args: string[], error: RegExp][] = [
  [["-phunterpass"], /Unknown option \(argument 1\)$/m],
  [["rotate", "-phunterpass"], /Unknown option \(argument 2\)$/m],
  [["rotate", "-khunterpass"], /Unknown option \(argument 2\)$/m],
  [["rotate", "-qphunterpass"], /Unknown option$/m],
  [["rotate", "--hunterpass"], /Unknown option \(argument 2\)$/m],
  [["rotate", "--passwordhunterpass"], /Unknown option \(argument 2\)$/m],
  [["rotate", "--password=hunterpass"], /Unknown option --password$/m],
  [["rotate", "--password", "hunterpass"], /Unknown option --password$/m],
  [["rotate", "--grce=hunterpass"], /Unknown option \(argument 2\)$/m],
  [["import", "--secret", "hunterpass"], /Unknown option --secret$/m],
  [["import", "-k", "hunterpass"], /Unknown option -k$/m],
  [["exec", "-phunterpass", "--", "true"], /Unknown option \(argument 2\)$/m],
  [["init", "--alg", "x' is invalid. hunterpass"], /value of --alg <name>: Allowed choices/],
  [["hunterpass"], /Unknown command$/m],
  [["hunterpass", "--help"], /Unknown command$/m],
  [["user", "hunterpass"], /Unknown command$/m],
  [["audit", "hunterpass"], /Unknown command$/m],
  [["help", "hunterpass"], /Cannot find that help page$/m],
  [["user", "passwd", "alice", "hunterpass"], /Too many arguments/],
];

Deno.test("what may be a password is not repeated, and single letters and known names are", async (t) => {
  using box = new Box();
  const run = everyNthByBinary(4);
  for (const [at, [args, error]] of PASSWORDS.entries()) {
    await t.step(`line ${at + 1}`, async () => {
      const { code, stdout, stderr } = await run(box, args);
      assert.equal(code, 2);
      assert.match(stderr, error);
      assert.doesNotMatch(stdout + stderr, /hunter/);
    });
  }
});

// No file has a name of so many characters.
const LONG = "hunter".repeat(50);

Deno.test("a passphrase or private key in place of its file is not repeated", async () => {
  const { box, backup } = await prepared();
  using _ = box;
  const { seal } = await ageFlags(box);
  const sealed = await box.run(["backup", backup, "--with-secret", ...seal]);
  assert.equal(sealed.code, 0, sealed.stderr);
  const key = "AGE-SECRET-KEY-1HUNTER";
  for (
    const args of [
      ["backup", "b.db", "--with-secret", "--passphrase-file", "hunterpass"],
      ["restore", backup, "--force", "--passphrase-file", "hunter/pass"],
      ["restore", backup, "--force", "--identity-file", key],
      ["backup", "b.db", "--with-secret", "--passphrase-file", LONG],
      ["restore", backup, "--force", "--identity-file", `folder/${LONG}`],
    ]
  ) {
    const { code, stderr } = await box.run(args);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /Cannot read the file of --\w+-file: it does not exist$/m);
    assert.doesNotMatch(stderr, /hunter/i);
  }
});

Deno.test("what is too long for the name of a file is not repeated", async () => {
  using box = await initialised();
  const lines = [["import", "--file", LONG], ["backup", "b.db", "--kek-file", LONG]];
  for (const args of lines) {
    const { code, stderr } = await box.run(args);
    assert.notEqual(code, 0);
    assert.match(stderr, /^error: Cannot use that file: the name is too long$/m);
    assert.doesNotMatch(stderr, /hunter/);
  }
});

Deno.test("a passphrase file that cannot be looked at is no bug of rekey", async () => {
  using box = await initialised();
  Deno.symlinkSync("loop", join(box.home, "loop"));
  for (const path of [join(box.home, "loop"), join(box.home, "loop/file")]) {
    const args = ["backup", "b.db", "--with-secret", "--passphrase-file", path];
    const { code, stderr } = await box.run(args);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /^error: Cannot use \S+: it is a symbolic link$/m);
  }
});
