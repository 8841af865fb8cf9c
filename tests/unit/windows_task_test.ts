import assert from "node:assert/strict";
import type { Plan } from "../../src/cli/schedule/plan.ts";
import { windowsTask } from "../../src/cli/schedule/windows.ts";
import { installed, unless } from "../support/faults/faults.ts";

const AWKWARD = `a <b> & "c" \\ ü😀 ]]> %PATH%`;

const PLAN: Plan = {
  app: "shop",
  dataDir: undefined,
  failure: [],
  program: "C:\\Program Files\\Jörg & Co\\rekey.exe",
  args: ["rotate", "--force", "--if-older-than", "90d", "--after", AWKWARD],
  variables: { REKEY_APP: "shop", REKEY_KEK_FILE: "D:\\my keys\\", REKEY_KEYRING_TIMEOUT: "9s" },
  maxAge: 90 * 86_400,
  hour: 4,
  minute: 5,
  reachesOut: true,
  home: "/Users/jörg & co",
};

/** What another program reads out of a file. @param script prints JSON of what it has on stdin. */
async function read(script: string, content: Uint8Array): Promise<unknown> {
  return JSON.parse(await must("/usr/bin/python3", ["-c", script], { stdin: content }));
}

const LEAVES = `
import json, sys, xml.etree.ElementTree as tree
root = tree.fromstring(sys.stdin.buffer.read())
print(json.dumps({e.tag.split("}")[1]: e.text for e in root.iter() if len(e) == 0}))`;
import { must } from "../../scripts/program.ts";

const LINE = 'rotate --app shop --kek-file "D:\\my keys\\\\" --force --if-older-than 90d --after ' +
  '"a <b> & \\"c\\" \\ ü😀 ]]> %PATH%"';

Deno.test({
  name:
    "schedule windows: a task that says the same in every encoding that a shell may write it in",
  ignore: unless(installed("python3"), "python3"),
  async fn() {
    const { files: [file], next, removal } = windowsTask(PLAN, "SHOP\\jörg");
    const { content } = file!;
    assert.match(content, /^[\n\x20-\x7e]+$/);
    const utf16 = new Uint8Array(
      Uint16Array.from(`\ufeff${content}`, (c) => c.charCodeAt(0)).buffer,
    );
    for (const bytes of [new TextEncoder().encode(content), utf16]) {
      const task = await read(LEAVES, bytes) as Record<string, string>;
      assert.equal(task.Command, PLAN.program);
      assert.equal(task.Arguments, LINE);
      assert.equal(task.UserId, "SHOP\\jörg");
      assert.deepEqual(
        [task.LogonType, task.StartBoundary, task.DaysInterval, task.Interval],
        ["InteractiveToken", "2026-01-01T04:05:00", "1", undefined],
      );
    }
    assert.equal(file!.path, "rekey-rotate-shop.xml");
    assert.match(next, /schtasks \/Create \/TN rekey-rotate-shop \/XML rekey-rotate-shop\.xml/);
    assert.match(next, /set REKEY_KEYRING_TIMEOUT for the user/);
    assert.equal(removal, "`schtasks /Delete /TN rekey-rotate-shop /F`");
  },
});

Deno.test({
  name: "schedule windows: with deliveries there is a task that goes on, for this user's sessions",
  ignore: unless(installed("python3"), "python3"),
  async fn() {
    const plan = { ...PLAN, watch: ["deliver", "sync", "--watch"] };
    const { files, next, removal } = windowsTask(plan, "SHOP\\jörg");
    const [rotating, watching] = await Promise.all(
      files.map(({ content }) => read(LEAVES, new TextEncoder().encode(content))),
    ) as [Record<string, string>, Record<string, string>];
    assert.equal(rotating.Arguments, LINE);
    assert.equal(rotating.ExecutionTimeLimit, "PT1H");
    assert.equal(
      watching.Arguments,
      'deliver sync --watch --app shop --kek-file "D:\\my keys\\\\"',
    );
    assert.deepEqual([watching.ExecutionTimeLimit, watching.Interval], ["PT0S", "PT5M"]);
    assert.equal(files[1]!.content.match(/<UserId>SHOP/g)?.length, 2);
    assert.match(next, /\/TN rekey-deliver-shop \/XML rekey-deliver-shop\.xml/);
    assert.match(removal, / and `schtasks \/Delete \/TN rekey-deliver-shop \/F`$/);
  },
});

Deno.test({
  name: "schedule windows: ages of hours are looked at every hour",
  ignore: unless(installed("python3"), "python3"),
  async fn() {
    const { files: [file], next } = windowsTask({ ...PLAN, maxAge: 3_600, variables: {} }, "x\\y");
    const task = await read(LEAVES, new TextEncoder().encode(file!.content)) as object;
    assert.deepEqual({ ...task, Interval: "PT1H", Duration: "P1D" }, task);
    assert.doesNotMatch(next, /setx/);
  },
});
