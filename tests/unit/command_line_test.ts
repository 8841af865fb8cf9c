import assert from "node:assert/strict";
import { runCommand, runLine } from "../../src/system/command_line.ts";
import { SYSTEM } from "../../src/system/system.ts";
import { HANG_MS, until } from "../support/timing/pause.ts";

const { shell } = SYSTEM.processes;

Deno.test("a command's own group ends with it at the time limit", async () => {
  const printed: Uint8Array[] = [];
  const failure = await runLine(shell("sleep 600 & echo $!; wait"), {
    limitMs: 300,
    ownGroup: true,
    take: (piece) => printed.push(piece),
  });
  assert.equal(failure, "did not end within 0.3 s");
  const pid = Number(new TextDecoder().decode(printed[0]));
  await until(() => !runs(pid));
});

function runs(pid: number): boolean {
  try {
    Deno.kill(pid, "SIGCONT");
    return true;
  } catch {
    return false;
  }
}

Deno.test("a command reads what it is given, and both of its outputs are taken", async () => {
  let text = "";
  const ending = await runCommand(shell("cat; echo more >&2; exit 3"), {
    limitMs: HANG_MS,
    stdin: new TextEncoder().encode("input\n"),
    takesStderr: true,
    take: (piece) => text += new TextDecoder().decode(piece),
  });
  assert.deepEqual(ending, { status: 3 });
  assert.deepEqual(text.trim().split("\n").sort(), ["input", "more"]);
});

Deno.test("a command that does not read its input does not fail for that", async () => {
  const stdin = new Uint8Array(2 ** 20);
  assert.equal(
    await runLine(shell("exit 0"), { limitMs: HANG_MS, stdin, take() {} }),
    undefined,
  );
});

Deno.test("users and groups are found by name and by number", () => {
  const owners = SYSTEM.owners!;
  assert.equal(owners.userId("root"), 0);
  assert.equal(owners.groupId("root"), 0);
  assert.equal(owners.groupId("4242"), 4242);
  assert.equal(owners.userId("no-such-user"), undefined);
  assert.equal(owners.groupId("4294967295"), undefined);
});
