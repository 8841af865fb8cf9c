import assert from "node:assert/strict";
import { launchdJob } from "../../src/cli/schedule/launchd.ts";
import type { Plan } from "../../src/cli/schedule/plan.ts";
import { installed, unless } from "../support/faults/faults.ts";
import { readPlist } from "../support/commands/plist.ts";

// launchd takes a text as it is: nothing in it is for a shell.
const AWKWARD = `a <b> & "c" 'd' ]]> $HOME \\ %s é 鍵 🔑`;

const PLAN: Plan = {
  app: "shop",
  failure: [],
  program: "/Users/a b/bin/rekey",
  args: ["rotate", "--force", "--after", AWKWARD],
  variables: { REKEY_APP: "shop", REKEY_KEK_FILE: `/Users/a b/${AWKWARD}` },
  maxAge: 90 * 86_400,
  hour: 4,
  minute: 5,
  reachesOut: true,
  home: "/Users/a b",
};

const ignore = unless(installed("python3"), "python3");

Deno.test({ name: "a user's job is an agent, which has the keychain", ignore }, async () => {
  const { files: [file], next, removal } = launchdJob(PLAN, "user");
  const path = "/Users/a b/Library/LaunchAgents/rekey-rotate-shop.plist";
  assert.equal(file!.path, path);
  assert.match(next, /`launchctl bootstrap gui\/\$\(id -u\) '\/Users\/a b\/.*\.plist'`/);
  assert.equal(removal, `\`launchctl bootout gui/$(id -u)/rekey-rotate-shop; rm '${path}'\``);
  const { ProgramArguments, EnvironmentVariables, ...rest } = await readPlist(file!.content);
  assert.deepEqual(ProgramArguments, [PLAN.program, ...PLAN.args]);
  assert.deepEqual(EnvironmentVariables, PLAN.variables);
  assert.deepEqual(rest, {
    Label: "rekey-rotate-shop",
    StartCalendarInterval: { Hour: 4, Minute: 5 },
    RunAtLoad: true,
    StandardErrorPath: "/Users/a b/Library/Logs/rekey-rotate-shop.log",
    Umask: 0o077,
  });
});

Deno.test({ name: "with deliveries there is a job that goes on", ignore }, async () => {
  const plan = { ...PLAN, watch: ["deliver", "sync", "--watch"] };
  const { files: [, file], next, removal } = launchdJob(plan, "user");
  assert.equal(file!.path, "/Users/a b/Library/LaunchAgents/rekey-deliver-shop.plist");
  const { ProgramArguments, Label, ...rest } = await readPlist(file!.content);
  assert.deepEqual([ProgramArguments, Label], [
    [PLAN.program, "deliver", "sync", "--watch"],
    "rekey-deliver-shop",
  ]);
  assert.deepEqual(rest, {
    EnvironmentVariables: PLAN.variables,
    KeepAlive: true,
    StandardErrorPath: "/Users/a b/Library/Logs/rekey-deliver-shop.log",
    Umask: 0o077,
  });
  assert.match(next, / and `launchctl bootstrap .*rekey-deliver-shop\.plist'`/);
  assert.match(removal, / and `launchctl bootout .*rekey-deliver-shop; rm /);
});

Deno.test({ name: "root's job is a daemon of the system's", ignore }, async () => {
  const { files: [file], next, removal } = launchdJob({ ...PLAN, maxAge: 3_600 }, "system");
  assert.equal(file!.path, "/Library/LaunchDaemons/rekey-rotate-shop.plist");
  assert.match(next, /`launchctl bootstrap system \/Library\/LaunchDaemons\/.*\.plist`/);
  assert.match(removal, /^`launchctl bootout system\/rekey-rotate-shop; rm /);
  const list = await readPlist(file!.content);
  assert.deepEqual(list.StartCalendarInterval, { Minute: 5 });
  assert.equal(list.StandardErrorPath, "/Library/Logs/rekey-rotate-shop.log");
});
