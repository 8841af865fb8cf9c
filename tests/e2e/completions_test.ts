import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { completionOf } from "../../src/cli/completion/candidates.ts";
import { readLine } from "../../src/cli/completion/typed_line.ts";
import { makeProgram } from "../../src/cli/program.ts";
import { Box, REKEY } from "../support/process/box.ts";
import { installed, unless } from "../support/faults/faults.ts";
import { haveUsers } from "../support/store/users.ts";

// A name that a shell would run, were it not quoted.
const HOSTILE = "bob$(touch${IFS}owned)";

async function withUsers(): Promise<Box> {
  const box = new Box();
  await box.run(["init"]);
  await haveUsers(box, ["alice", HOSTILE]);
  const target = ["--format", "jwks", "--path", join(box.home, "keys.json")];
  assert.equal((await box.run(["deliver", "add", "api", ...target])).code, 0);
  return box;
}

/** What `rekey complete` answers: what else the shell should offer, and words. */
async function answer(box: Box, ...words: string[]): Promise<[besides: string, ...string[]]> {
  const { code, stdout, stderr } = await box.run(["complete"], { stdin: `${words.join("\n")}\n` });
  assert.deepEqual([code, stderr], [0, ""]);
  const [besides, ...lines] = stdout.trimEnd().split("\n");
  return [besides!, ...lines.map((line) => line.split("\t")[0]!)];
}

/** What a line becomes when its last word is completed with a tab. */
const LINES: [typed: string, becomes: string][] = [
  ["rekey user rem", "rekey user remove"],
  ["rekey user remove a", "rekey user remove alice"],
  ["rekey user passwd b", `rekey user passwd ${HOSTILE}`],
  ["rekey session revoke --user al", "rekey session revoke --user alice"],
  ["rekey --store=k", "rekey --store=keyring"],
  ["rekey --store k", "rekey --store keyring"],
  ["rekey exec --on-rotate signal:H", "rekey exec --on-rotate signal:HUP"],
  ["rekey audit list --of ", "rekey audit list --of 1"],
  ["rekey deliver remove ap", "rekey deliver remove api"],
  ["rekey deliver add x --preset eja", "rekey deliver add x --preset ejabberd"],
  ["rekey backup back", "rekey backup backups/"],
  ["rekey schedule cron -- --gr", "rekey schedule cron -- --grace"],
  ["rekey exec -- gnome-keyring-d", "rekey exec -- gnome-keyring-daemon"],
  ["rekey stat", "rekey stat"],
  ["rekey nonsense --x ", "rekey nonsense --x"],
];

const SETUPS = {
  bash: "source <(rekey completions bash)",
  zsh: "autoload -U compinit; compinit -u -D; source <(rekey completions zsh)",
};

for (const [shell, setup] of Object.entries(SETUPS)) {
  Deno.test({
    name:
      `completions: ${shell} on a terminal completes commands, flags, values, users and versions`,
    ignore: unless(installed(shell), shell),
    async fn() {
      using box = await withUsers();
      Deno.mkdirSync(join(box.home, "backups"));
      const script = join(import.meta.dirname!, "../support/process/type_tab.py");
      const env = { PATH: `${dirname(REKEY)}:/usr/bin:/bin` };
      const args = [script, shell, setup, ...LINES.map(([typed]) => typed)];
      const { stdout, stderr } = await box.exec("/usr/bin/python3", args, { env });
      const found = stdout.trimEnd().split("\n").map((line) => line.trimEnd());
      assert.deepEqual(found, LINES.map(([, becomes]) => becomes), stderr);
      assert.ok(!box.files().has(join(box.home, "owned")));
    },
  });
}

Deno.test({
  name: "completions: fish completes the same",
  ignore: unless(installed("fish"), "fish"),
  async fn() {
    using box = await withUsers();
    Deno.mkdirSync(join(box.home, "backups"));
    const env = { PATH: `${dirname(REKEY)}:/usr/bin:/bin` };
    for (const [typed, becomes] of LINES) {
      const script = `rekey completions fish | source; complete -C '${typed}'`;
      const { stdout } = await box.exec("/usr/bin/fish", ["-c", script], { env });
      const words = stdout.trimEnd().split("\n").map((line) => line.split("\t")[0]);
      const last = becomes.split(" ").at(-1)!;
      if (typed === becomes) assert.deepEqual(words, ["stats", "status"]);
      else if (becomes.endsWith("--x")) assert.deepEqual(words, [""]);
      else assert.deepEqual(words, [last], typed);
    }
  },
});

Deno.test("completions: every command, flag and choice of the table is offered", async () => {
  using box = new Box();
  type Command = Awaited<ReturnType<typeof makeProgram>>;
  const program = await makeProgram("", () => Promise.resolve());
  const known = { users: () => [], sessions: () => [], versions: () => [], deliveries: () => [] };
  const offer = (...words: string[]) =>
    completionOf(readLine(program, words), known).candidates.map(({ word }) => word);
  let count = 0;
  const check = (command: Command, words: string[]) => {
    const names = command.createHelp().visibleCommands(command).map((below) => below.name());
    const offered = offer(...words, "");
    assert.ok(names.every((name) => offered.includes(name)), words.join(" "));
    const flags = offer(...words, "-");
    const own = command.options.map(({ long }) => long!);
    assert.ok([...own, "--json", "--help"].every((flag) => flags.includes(flag)), words.join(" "));
    count += names.length + own.length;
    for (const below of command.commands) {
      if (names.includes(below.name()) && below.name() !== "help") {
        check(below, [...words, below.name()]);
      }
    }
  };
  check(program, []);
  assert.ok(count > 100, String(count));
  // What is asked of the functions here is what the binary answers.
  for (const line of [["audit", ""], ["store", "move", "-"]]) {
    const [, ...answered] = await answer(box, ...line);
    assert.deepEqual(answered, offer(...line));
  }
  assert.deepEqual(await answer(box, "complet"), [":nothing", "completions"]);
});

Deno.test("completions: looking up names changes nothing, and what cannot be read has none", async () => {
  using box = await withUsers();
  const before = JSON.stringify([...box.files()].map(([path, { length }]) => [path, length]));
  assert.deepEqual(await answer(box, "user", "remove", "al"), [":nothing", "alice"]);
  for (const words of [["sync", "api", ""], ["show", "a"], ["check", ""]]) {
    assert.deepEqual(await answer(box, "deliver", ...words), [":nothing", "api"], words.join(" "));
  }
  assert.deepEqual(await answer(box, "--app", "other", "user", "remove", ""), [":nothing"]);
  assert.deepEqual(
    JSON.stringify([...box.files()].map(([path, { length }]) => [path, length])),
    before,
  );
  Deno.writeTextFileSync(box.database, "no database");
  assert.deepEqual(await answer(box, "user", "remove", "al"), [":nothing"]);
});

Deno.test("completions: files, folders and commands are left to the shell", async () => {
  using box = new Box();
  assert.deepEqual(await answer(box, "restore", ""), [":files"]);
  assert.deepEqual(await answer(box, "--kek-file", ""), [":files"]);
  assert.deepEqual(await answer(box, "--kek-file=a"), [":files"]);
  assert.deepEqual(await answer(box, "--data-dir", ""), [":folders"]);
  assert.deepEqual(await answer(box, "exec", "--", "g"), [":commands"]);
  assert.deepEqual(await answer(box, "exec", "--", "cat", ""), [":files"]);
  assert.deepEqual(await answer(box, "issue", "--sub", ""), [":nothing"]);
});
