import assert from "node:assert/strict";
import { join } from "node:path";
import { RemarkOption, RepeatableOption, takesValue } from "../../src/cli/flags/command.ts";
import { Box } from "../support/process/box.ts";
import { WITH_PASSPHRASE } from "../support/store/backing_up.ts";
import { initialised } from "../support/process/initialised.ts";
import { keyFile, receiver, versionOf } from "../support/commands/notices.ts";
import { everyCommand, sampleFor } from "../support/commands/command_table.ts";
import { everyNthByBinary } from "../support/commands/in_process.ts";

// Each of them is tested below: all of its values are in effect.
const REPEATABLE = [
  "--audit-to",
  ...["audit list --actor", "audit list --event", "audit list --of"],
  ...["audit verify-export --checkpoint", "audit sinks --remove"],
  ...["backup --recipient", "backup --recipients-file", "restore --identity-file"],
  ...["init", "import", "policy set", "verify"].flatMap((
    name,
  ) => [`${name} --aud`, `${name} --iss`]),
  "deliver add --set",
  ...["exec --env", "issue --aud", "issue --scope", "issue --claim"],
  ...["user claims --aud", "user claims --scope", "user claims --claim"],
  ...["rotate --after", "rotate --before", "rotate --notify-url", "rotate --notify-url-file"],
  ...["security rotate-jwt-secret --after", "security rotate-jwt-secret --before"],
  ...["security rotate-jwt-secret --notify-url", "security rotate-jwt-secret --notify-url-file"],
  ...["serve --host", "serve --unix", "session list --user", "session revoke --user"],
].sort();

Deno.test("every option of every command that takes a value: twice is refused, or declared", async (t) => {
  using box = new Box();
  const run = everyNthByBinary(10);
  const repeatable: string[] = [];
  for (const { words, command } of await everyCommand()) {
    for (const option of command.options.filter(takesValue)) {
      const name = [...words, option.long!].join(" ");
      if (option instanceof RepeatableOption) {
        assert.match(option.description, /; may be repeated$/);
        repeatable.push(name);
        continue;
      }
      await t.step(name, async () => {
        const value = sampleFor(option);
        const once = [option.long!, value];
        const assigned = `${option.long}=${value}`;
        const lines = [[...words, ...once, assigned]];
        // Flags that every command takes may stand before its name too.
        if (words.length === 0) {
          lines.push([...once, "status", ...once], [assigned, "user", "list", assigned]);
        }
        for (const line of lines) {
          const { code, stdout, stderr } = await run(box, line);
          const said = `error: Cannot use ${option.long}: it was given more than once\n`;
          assert.deepEqual(
            [code, stdout, stderr.slice(0, said.length)],
            [2, "", said],
            line.join(" "),
          );
        }
      });
    }
  }
  assert.deepEqual(repeatable.sort(), REPEATABLE);
  assert.deepEqual([...box.files().keys()], []);
});

Deno.test("every option of every command that takes a value: an empty one is refused", async () => {
  using box = new Box();
  const run = everyNthByBinary(10);
  for (const { words, command } of await everyCommand()) {
    for (const option of command.options.filter(takesValue)) {
      if (option instanceof RemarkOption) continue;
      const { code, stdout, stderr } = await run(box, [...words, `${option.long}=`]);
      assert.deepEqual([code, stdout], [2, ""], `${words.join(" ")} ${option.long}`);
      assert.ok(stderr.startsWith(`error: Cannot use an empty value for ${option.long}\n`), stderr);
    }
  }
  assert.deepEqual([...box.files().keys()], []);
});

Deno.test("a flag without a value may be given twice", async () => {
  using box = await initialised();
  const line = ["-q", "--quiet", "--json", "status", "--json", "--no-color", "--no-color", "-q"];
  const { code, stderr } = await box.run(line);
  assert.deepEqual([code, stderr], [0, ""]);
});

Deno.test("exec: a program's own flags may be repeated", async () => {
  using box = await initialised();
  const line = ["exec", "--", "echo", "--env", "a", "--env", "b", "--app", "c", "--app", "d"];
  const { stdout } = await box.run(line);
  assert.equal(stdout, "--env a --env b --app c --app d\n");
});

Deno.test("session: several users, all of them", async () => {
  using box = await initialised();
  for (const sub of ["a", "b", "c"]) await box.token(sub);
  const listed = async (...users: string[]) => {
    const { stdout } = await box.run([
      "session",
      "list",
      "--json",
      ...users.flatMap(flag("--user")),
    ]);
    return stdout.trim().split("\n").filter(Boolean).map((line) => JSON.parse(line).sub).sort();
  };
  assert.deepEqual(await listed("a", "c"), ["a", "c"]);
  const ended = await box.json("session", "revoke", "--user", "a", "--user=b", "--user", "a");
  assert.deepEqual(ended, { users: ["a", "b"], ended: 2 });
  assert.deepEqual(await listed(), ["c"]);
  const { stdout } = await box.run(["audit", "list", "--event", "sessions", "--json"]);
  const reasons = stdout.trim().split("\n").map((line) => JSON.parse(line).reason);
  assert.deepEqual(reasons, ["sessions of a", "sessions of b"]);
  assert.deepEqual(await box.json("session", "revoke", "--user", "c"), {
    user: "c",
    users: ["c"],
    ended: 1,
  });
});

Deno.test("rotate: every hook in its order, every receiver; the first --before that fails ends it", async () => {
  using box = await initialised();
  await using one = receiver();
  await using other = receiver();
  const [key] = keyFile(box);
  const order = join(box.home, "order");
  const say = (word: string) => `echo ${word} >> ${order}`;
  const line = [
    ...[
      "rotate",
      "--force",
      "--before",
      say("1"),
      "--after",
      say("3"),
      `--before=${say("2")}`,
      "--after",
      say("4"),
    ],
    ...["--notify-key-file", key, "--notify-url", one.url, "--notify-url", other.url],
  ];
  const { code, stderr } = await box.run(line);
  assert.equal(code, 0, stderr);
  assert.equal(Deno.readTextFileSync(order), "1\n2\n3\n4\n");
  assert.deepEqual([one.posts.length, other.posts.length], [1, 1]);
  for (const hooks of [["exit 1", say("5")], [say("6"), "exit 1"]]) {
    const refused = await box.run(["rotate", "--force", ...hooks.flatMap(flag("--before"))]);
    assert.equal(refused.code, 1);
  }
  assert.equal(Deno.readTextFileSync(order), "1\n2\n3\n4\n6\n");
  assert.equal(await versionOf(box), 2);
});

Deno.test("exec: several variables hold the secret", async () => {
  using box = await initialised();
  const script = '[ -n "$A" ] && [ "$A" = "$B" ] && [ -z "$JWT_SECRET" ]';
  const { code } = await box.run([
    "exec",
    "--env",
    "A",
    "--env",
    "B",
    "--",
    "/bin/sh",
    "-c",
    script,
  ]);
  assert.equal(code, 0);
});

Deno.test("issue: several audiences and scopes", async () => {
  using box = await initialised();
  const claims = async (...more: string[]) => {
    const [, payload] = (await box.token("x", ...more)).split(".");
    const { aud, scope } = JSON.parse(atob(payload!.replaceAll("-", "+").replaceAll("_", "/")));
    return { aud, scope };
  };
  const two = ["--aud", "one", "--aud", "two", "--scope", "read", "--scope=write admin"];
  assert.deepEqual(await claims(...two), { aud: ["one", "two"], scope: "read write admin" });
  const one = { aud: "one", scope: undefined };
  assert.deepEqual(await claims("--aud", "one"), one);
  assert.deepEqual(await claims("--aud", "one", "--aud", "one"), one);
  for (const aud of ["one", "two"]) {
    assert.equal(
      (await box.run(["verify", "--aud", aud, "--", await box.token("x", ...two)])).code,
      0,
    );
  }
});

Deno.test("verify and policy: one of several audiences and issuers", async () => {
  using box = await initialised();
  const token = await box.token("x", "--aud", "one", "--iss", "a");
  const verify = async (...flags: string[]) =>
    (await box.run(["verify", ...flags, "--", token])).code;
  for (const name of ["--aud", "--iss"]) {
    const right = name === "--aud" ? "one" : "a";
    assert.equal(await verify(name, right, name, "other"), 0);
    assert.equal(await verify(name, "other", `${name}=${right}`), 0);
    assert.equal(await verify(name, "other", name, "third"), 3);
    assert.equal((await box.run(["policy", "set", name, "other", name, "third"])).code, 0);
    assert.equal(await verify(), 3);
    assert.equal((await box.run(["policy", "set", name, "other", name, right])).code, 0);
    assert.equal(await verify(), 0);
  }
});

Deno.test("audit list: rows of any of several events, versions and actors", async () => {
  using box = await initialised();
  await box.run(["rotate", "--force"]);
  await box.run(["rotate", "--force"]);
  const rows = async (...filter: string[]) => {
    const { stdout } = await box.run(["audit", "list", "--json", ...filter]);
    return stdout.trim().split("\n").filter(Boolean).map((line) => JSON.parse(line));
  };
  const events = await rows("--event", "initiated", "--event", "completed");
  assert.equal(events.length, 4);
  const versions = await rows("--of", "1", "--of", "3");
  assert.deepEqual([...new Set(versions.map(({ version }) => version))].sort(), [1, 3]);
  const { actor } = events[0];
  assert.ok((await rows("--actor", "unknown@nowhere", "--actor", actor)).length > 4);
  assert.equal((await rows("--actor", "unknown@nowhere", "--actor", "x@y")).length, 0);
});

Deno.test("backup and restore: several files of recipients, several of identities", async () => {
  using box = await initialised();
  const path = (name: string) => join(box.home, name);
  const identities = [1, 2].map((n) => path(`identity-${n}`));
  for (const identity of identities) {
    const { stdout } = await box.exec("age-keygen", ["-o", identity]);
    assert.equal(stdout, "");
    const made = await box.exec("age-keygen", ["-y", identity]);
    Deno.writeTextFileSync(`${identity}.pub`, made.stdout);
  }
  const recipients = identities.map((identity) => `${identity}.pub`);
  const backup = [
    "backup",
    path("b.db"),
    "--with-secret",
    ...recipients.flatMap(flag("--recipients-file")),
  ];
  assert.equal((await box.run(backup)).code, 0);
  for (const files of [[identities[0]!], [identities[1]!]]) {
    using fresh = new Box();
    const { code, stderr } = await fresh.run([
      "restore",
      path("b.db"),
      ...files.flatMap(flag("--identity-file")),
    ]);
    assert.equal(code, 0, stderr);
  }
  // The second one opens what is sealed for it alone.
  const other = ["backup", path("c.db"), "--with-secret", "--recipients-file", recipients[1]!];
  assert.equal((await box.run(other)).code, 0);
  using fresh = new Box();
  const both = identities.toReversed().flatMap(flag("--identity-file"));
  assert.equal((await fresh.run(["restore", path("c.db"), ...both])).code, 0);
  assert.equal(
    (await box.run(["backup", path("d.db"), ...WITH_PASSPHRASE, ...WITH_PASSPHRASE])).code,
    2,
  );
});

Deno.test("schedule: a reason of the operator's own takes the place of the usual one", async () => {
  using box = await initialised();
  const cron = async (...flags: string[]) => await box.run(["schedule", "cron", "--", ...flags]);
  const usual = (await cron("--grace", "1h")).stdout;
  assert.equal(usual.match(/--reason/g)?.length, 1);
  for (const reason of [["--reason", "mine"], ["--reason=mine"]]) {
    const { stdout } = await cron(...reason);
    assert.equal(stdout.match(/--reason/g)?.length, 1, stdout);
    assert.match(stdout, /mine/);
  }
  const { code, stderr } = await cron("--grace", "1h", "--grace", "2h");
  assert.equal(code, 2);
  assert.match(stderr, /^error: Cannot use --grace: it was given more than once\n/);
});

function flag(name: string): (value: string) => string[] {
  return (value) => [name, value];
}

Deno.test("deliver add: every parameter is set", async () => {
  using box = await initialised();
  const path = `${box.home}/env`;
  const set = ["--set", "encoding=hex", "--set", "variable=KEY"];
  const { code } = await box.run([
    "deliver",
    "add",
    "a",
    "--format",
    "env",
    "--path",
    path,
    ...set,
  ]);
  assert.equal(code, 0);
  assert.match(Deno.readTextFileSync(path), /^KEY=[0-9a-f]{176}\n/);
});
