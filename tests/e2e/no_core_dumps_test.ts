import assert from "node:assert/strict";
import { join } from "node:path";
import { Box, REKEY } from "../support/process/box.ts";
import { FOR_OTHERS, RUNS_FOR_OTHERS, unless } from "../support/faults/faults.ts";
import { until } from "../support/timing/pause.ts";
import { Serving } from "../support/http/serving.ts";
import { start } from "../../scripts/program.ts";

/** A user without an account here: what the system keeps from a user it does not keep from root. */
const STRANGER = 54321;
const AS_STRANGER = `/usr/bin/setpriv --reuid=${STRANGER} --regid=${STRANGER} --clear-groups --`;

/** A box whose user is the stranger, with a copy of the binary that they can run. */
async function strangersBox(): Promise<Box & { rekey: string }> {
  const box = new Box();
  const rekey = join(box.home, "rekey");
  Deno.copyFileSync(REKEY, rekey);
  Deno.chownSync(box.home, STRANGER, STRANGER);
  const made = await box.exec("/bin/sh", ["-c", `exec ${AS_STRANGER} ${rekey} init`]);
  assert.equal(made.code, 0, made.stderr);
  return Object.assign(box, { rekey });
}

/** Whether another process of the stranger's can open a file of a process in /proc. */
async function canOpen(box: Box, pid: number, name: string): Promise<boolean> {
  const line = `exec ${AS_STRANGER} /bin/dd if=/proc/${pid}/${name} of=/dev/null count=0`;
  return (await box.exec("/bin/sh", ["-c", line])).code === 0;
}

/** Waits until a process of rekey's has shut its memory. */
function shut(box: Box & { rekey: string }, pid: number): Promise<void> {
  return until(async () => {
    // Before, it is root's shell, whose memory no other user can read either.
    const isRekey = Deno.readLinkSync(`/proc/${pid}/exe`) === box.rekey;
    return isRekey && !await canOpen(box, pid, "mem");
  });
}

const coreLimit = (pid: number) =>
  /^Max core file size +(\S+) +(\S+)/m.exec(Deno.readTextFileSync(`/proc/${pid}/limits`))!
    .slice(1, 3);

Deno.test({
  name: "serve leaves no core dump, and no other process of its user reads its memory",
  ignore: unless(RUNS_FOR_OTHERS, FOR_OTHERS),
  async fn() {
    using box = await strangersBox();
    const before = `ulimit -c unlimited; exec ${AS_STRANGER} ${box.rekey} "$@"`;
    await using serving = await Serving.start(box, [], { before });
    const { pid } = serving.process;
    assert.deepEqual(coreLimit(pid), ["0", "0"]);
    for (const name of ["mem", "maps", "environ", "auxv", "syscall"]) {
      assert.equal(await canOpen(box, pid, name), false, name);
    }
    // It goes on working: the runtime reads from /proc what it needs.
    assert.equal(await serving.status(serving.get("/readyz")), 200);
    assert.equal((await serving.stop("SIGQUIT")).signal, "SIGQUIT");
    const cores = [...Deno.readDirSync(box.home)].filter(({ name }) => name.startsWith("core"));
    assert.deepEqual(cores, []);
  },
});

Deno.test({
  name: "so does the process that talks to the keyring",
  ignore: unless(RUNS_FOR_OTHERS, FOR_OTHERS),
  async fn() {
    using box = await strangersBox();
    const stranger = (line: string) =>
      start("/bin/sh", ["-c", `ulimit -c unlimited; exec ${AS_STRANGER} ${line}`], {
        clearEnv: true,
        env: { HOME: box.home },
        cwd: box.home,
        stdin: "piped",
      });
    const [helper, other] = [stranger(`${box.rekey} keyring-helper`), stranger("/bin/cat")];
    try {
      await shut(box, helper.pid);
      assert.deepEqual(coreLimit(helper.pid), ["0", "0"]);
      assert.equal(await canOpen(box, other.pid, "mem"), true, "any other process's can be read");
    } finally {
      for (const { stdin } of [helper, other]) await stdin.close();
      await Promise.all([helper.status, other.status]);
    }
  },
});
