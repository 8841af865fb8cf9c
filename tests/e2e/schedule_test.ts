import assert from "node:assert/strict";
import { join } from "node:path";
import { Box, REKEY } from "../support/process/box.ts";
import { readPlist } from "../support/commands/plist.ts";
import { schedule, withOldSecret } from "../support/commands/scheduling.ts";

// All that cron and shells have a meaning for.
const SAID = String.raw`it's 100% \% \\ \\% \' "done"`;
const AFTER = `printf %s ${"'" + SAID.replaceAll("'", String.raw`'\''`) + "'"} > "$HOME/done"`;

/** What Vixie's cron hands to the shell. */
function asCronReads(command: string): string {
  let [read, escaped] = ["", false];
  for (const c of command) {
    if (escaped && (c === "%" || c === "\\")) read = read.slice(0, -1) + c;
    else if (c === "%") return read;
    else read += c;
    escaped = !escaped && c === "\\";
  }
  return read;
}

Deno.test("schedule cron: the line does what it says, in cron's own surroundings", async () => {
  using box = new Box({ REKEY_STORE: "database" });
  await withOldSecret(box);
  const { files: [file] } = await schedule(
    box,
    ...["cron", "--app", "agiworkforce", "--at", "4:05", "--", "--after"],
    AFTER,
  );
  const [, when, command] = /^((?:\S+ ){5})(.*)\n$/.exec(file!.content)!;
  assert.equal(when, "5 4 * * * ");
  const env = { PATH: "/usr/bin:/bin", REKEY_STORE: "", HOME: "/nowhere" };
  const line = asCronReads(command!);
  for (const version of [2, 2]) {
    const ended = await box.exec("/bin/sh", ["-c", line], { env });
    assert.deepEqual([ended.code, ended.stdout, ended.stderr], [0, "", ""]);
    assert.equal((await box.json("status")).version, version);
  }
  assert.equal(Deno.readTextFileSync(join(box.home, "done")), SAID);
});

Deno.test("schedule launchd: what is printed is read by another program", async () => {
  using box = new Box();
  const args = ["launchd", "--app", "x", "--", "--after", `a <b> & "c"`];
  const { files: [file] } = await schedule(box, ...args);
  const plist = await readPlist(file!.content);
  assert.deepEqual(plist.ProgramArguments, [
    ...[REKEY, "rotate", "--force", "--if-older-than", "90d", "--reason", "scheduled"],
    ...["--after", `a <b> & "c"`],
  ]);
  assert.deepEqual(plist.EnvironmentVariables, { REKEY_APP: "x", HOME: box.home });
  assert.deepEqual(plist.StartCalendarInterval, { Hour: 3, Minute: 0 });
});

Deno.test("schedule windows: a task whose line the program reads as it was given", async () => {
  using box = new Box();
  const args = ["windows", "--app", "x", "--every", "6h", "--", "--before", `say "it's\\" now`];
  const { files: [file] } = await schedule(box, ...args);
  assert.ok(file!.content.includes("<Arguments>rotate --app x --force --if-older-than 6h "));
  assert.ok(file!.content.includes(`--before "say \\"it's\\\\\\" now"</Arguments>`), file!.content);
  assert.match(file!.content, /<Interval>PT1H<\/Interval>/);
});

Deno.test("schedule: what cannot be scheduled is exit 2 with a hint", async () => {
  using box = new Box();
  const lines = [
    [],
    ["anacron"],
    ["cron", "--every", "59m"],
    ["cron", "--every", "soon"],
    ["cron", "--at", "24:00"],
    ["cron", "--", "--prepare"],
    ["cron", "--", "--activate", "--grace", "24h"],
    ["cron", "--install"],
    ["launchd", "--credential", "x"],
    ["systemd", "--credential", ""],
    ["systemd", "--grace", "1h"],
    ["systemd", "--", "--nonsense"],
    ["systemd", "--", "--grace", "soon"],
    ["systemd", "--", "--force"],
    ["systemd", "--", "--notify-url", "ftp://x"],
    ["systemd", "--", "--notify-url", "https://example.com/", "--notify-key-file", "none"],
    ["systemd", "--user", "--system"],
    ["systemd", "--system", "--credential", "/x\nExecStartPre=/bin/evil"],
    ["cron", "--system"],
    ["cron", "--", "--after", "x".repeat(1_000)],
    ["systemd", "--", "--if-older-than", "1d"],
    ["systemd", "--", "more"],
    ["systemd", "--", "--after", "two\nlines"],
    ["cron", "--data-dir", "a\nb"],
  ];
  for (const line of lines) {
    const { code, stdout, stderr } = await box.run(["schedule", ...line]);
    assert.deepEqual([code, stdout], [2, ""], line.join(" "));
    assert.match(stderr, /^error: .*\nhint: .*\n$/, line.join(" "));
  }
  assert.deepEqual([...box.files().keys()], []);
});
