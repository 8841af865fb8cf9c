import assert from "node:assert/strict";
import { join } from "node:path";
import { Box, IS_COMPILED } from "../support/process/box.ts";
import { connect } from "../support/store/sql.ts";
import { sh, WAYS, withSecret } from "../support/commands/exec_ways.ts";

async function rows(box: Box) {
  const { stdout } = await box.run(["audit", "list", "--json"]);
  return stdout.trim().split("\n").map((line) => JSON.parse(line));
}

Deno.test("exec: what cannot be started is 127 or 126, in one sentence, and no secret is asked for", async () => {
  using box = await withSecret();
  const script = join(box.home, "script");
  Deno.writeTextFileSync(script, "echo hello\n", { mode: 0o755 });
  const strange = join(box.home, "strange");
  Deno.writeTextFileSync(strange, "#!/no/interpreter\n", { mode: 0o755 });
  const before = (await rows(box)).length;
  const cases: [code: number, name: string][] = [
    [127, "no-such-program"],
    [127, "./no-such-program"],
    [127, "/no/such/program"],
    [127, ""],
    [126, "/etc/passwd"],
    [126, "/etc"],
    [127, "/etc/passwd/x"],
    [127, "x".repeat(5_000)],
  ];
  for (const flags of WAYS) {
    for (const [code, name] of cases) {
      const ended = await box.run(["exec", ...flags, "--", name, "hunter2"]);
      assert.equal(ended.code, code, ended.stderr);
      assert.match(ended.stderr, /^error: Cannot start .*\nhint: .*\n$/);
      assert.doesNotMatch(ended.stderr, /hunter2|xxxxx/);
    }
  }
  assert.equal((await rows(box)).length, before);
  for (const flags of WAYS) {
    // From sources, Deno 2.9 gives a script without a first line to the shell.
    for (const name of IS_COMPILED || flags.length === 0 ? [script, strange] : [strange]) {
      const ended = await box.run(["exec", ...flags, "--json", "--", name]);
      assert.deepEqual([ended.code, ended.stdout], [126, ""]);
      assert.equal(JSON.parse(ended.stderr).error.code, "program_not_executable");
    }
  }
});

Deno.test("exec: a line that cannot be understood is exit 2; options after -- are the program's", async () => {
  using box = await withSecret();
  const lines = [
    [],
    ["--"],
    ["true"],
    ["true", "--"],
    ["true", "--", "x"],
    ["--env", "1A", "--", "true"],
    ["--env", "A=B", "--", "true"],
    ["--env", "", "--", "true"],
    ["--env", "REKEY_KID", "--", "true"],
    ["--env", "LD_PRELOAD", "--", "true"],
    ["--env", "PATH", "--", "true"],
    ["--on-rotate", "signal:KILL", "--", "true"],
    ["--on-rotate", "signal:hup", "--", "true"],
    ["--on-rotate", "reload", "--", "true"],
    ["--grace-stop", "soon", "--", "true"],
    ["--nonsense", "--", "true"],
  ];
  for (const line of lines) {
    const { code, stderr } = await box.run(["exec", ...line]);
    assert.equal(code, 2, line.join(" "));
    assert.match(stderr, /^error: .*\nhint: .*\n$/);
  }
  for (
    const program of [["sh", "-c", "true"], ["python3", "-m", "x"], ["--env", "A", "ls", "-l"]]
  ) {
    const { code, stderr } = await box.run(["exec", ...program]);
    assert.equal(code, 2);
    assert.match(
      stderr,
      /^error: There is no -- before the program\nhint: Write `rekey exec -- PROGRAM/,
    );
  }
  // Neither its help nor its output is asked of rekey.
  for (const option of ["--help", "-h", "--version", "--json", "--app"]) {
    const { code, stdout } = await box.run(["exec", "--", "printf", "%s", "-", option]);
    assert.deepEqual([code, stdout], [0, `-${option}`]);
  }
  const { stderr } = await box.run(["exec", "--", "no-such-program", "--json"]);
  assert.match(stderr, /^error: /);
});

Deno.test("exec: no secret is exit 4 with a hint, and none is made", async () => {
  using box = new Box();
  for (const flags of WAYS) {
    const { code, stderr } = await box.run(["exec", ...flags, "--", "true"]);
    assert.equal(code, 4);
    assert.match(stderr, /hint: Make one with `rekey init`/);
  }
  assert.ok(![...box.files().keys()].some((path) => path.endsWith(".db")));
});

Deno.test("exec: a database that another program keeps locked delays it by seconds; what is not written down is said", async () => {
  using box = await withSecret();
  const sqlite = connect(box);
  sqlite.exec("BEGIN IMMEDIATE");
  for (const flags of WAYS) {
    const { code, stderr } = await box.run(["exec", ...flags, "--", ...sh("exit 7")]);
    assert.equal(code, 7);
    assert.match(stderr, /^warning: the retrieval .* could not be written to the audit log\n/);
  }
  sqlite.close();
});
