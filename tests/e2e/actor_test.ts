import assert from "node:assert/strict";
import { join } from "node:path";
import { Box, REKEY } from "../support/process/box.ts";
import { initialised } from "../support/process/initialised.ts";
import { Serving } from "../support/http/serving.ts";
import { unless } from "../support/faults/faults.ts";

const isRoot = Deno.uid() === 0;

/** Rows of the audit log. */
async function rows(box: Box, ...flags: string[]): Promise<{ actor: string }[]> {
  const { stdout } = await box.run(["audit", "list", "--json", ...flags]);
  return stdout.trim().split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
}

/** What the audit log says of the last change. */
async function lastActor(box: Box): Promise<string> {
  const events = await rows(box, "--event", "rotation completed");
  return events.at(-1)!.actor.replace(/@[^ ]*/, "@HOST");
}

/** Whether root may say who has logged in: a kernel without audit has no such file. */
async function hasLoginUid(): Promise<boolean> {
  using box = new Box();
  const { stdout } = await box.exec("/bin/sh", [
    "-c",
    "echo 1 >/proc/self/loginuid && cat /proc/self/loginuid",
  ]);
  return stdout.trim() === "1";
}

const LOGIN = isRoot && await hasLoginUid();

// daemon is user 1 of every Debian.
const AS_DAEMON = "echo 1 >/proc/self/loginuid";

Deno.test({
  name: "the audit log names the user who logged in behind su and sudo",
  ignore: unless(LOGIN, "root, and a kernel that keeps the login user"),
  async fn() {
    using box = await initialised();
    const shell = async (script: string) => {
      const ended = await box.exec("/bin/sh", ["-c", script]);
      assert.equal(ended.code, 0, ended.stderr);
      return await lastActor(box);
    };
    const rotate = `${REKEY} rotate --force`;
    assert.equal(await shell(rotate), "root@HOST");
    assert.equal(await shell(`${AS_DAEMON}; ${rotate}`), "root@HOST (login daemon)");
    // A login of su would make its own entry; this is what an operator types.
    const su = `${AS_DAEMON}; su root -s /bin/sh -c 'HOME=${box.home} ${rotate}'`;
    assert.equal(await shell(su), "root@HOST (login daemon)");
    // sudo sees its own settings, and nothing of this machine's.
    const sudo = (as: string) => `
      printf '%s\\n' '${as} ALL=(ALL) NOPASSWD: ALL' 'Defaults !use_pty' >sudoers
      chmod 440 sudoers
      exec unshare --mount sh -c "mount --bind sudoers /etc/sudoers; exec \\
        setpriv --reuid=${as} --regid=${as} --clear-groups sudo -n HOME=${box.home} ${rotate}"`;
    assert.equal(await shell(sudo("bin")), "root@HOST (sudo bin)");
    assert.equal(await shell(`${AS_DAEMON}; ${sudo("daemon")}`), "root@HOST (login daemon)");
    assert.equal(await shell(`${AS_DAEMON}; ${sudo("bin")}`), "root@HOST (login daemon, sudo bin)");
    assert.equal(
      (await rows(box, "--actor", "login daemon")).length > 3,
      true,
    );
  },
});

Deno.test({
  name: "a user who is not root cannot pass for another one by a variable",
  ignore: unless(isRoot, "root"),
  async fn() {
    using box = new Box();
    Deno.chmodSync(box.home, 0o755);
    const home = join(box.home, "daemon");
    Deno.mkdirSync(home);
    Deno.chownSync(home, 1, 1);
    const env = { HOME: home, SUDO_USER: "alice", DOAS_USER: "alice", INVOCATION_ID: "0" };
    const run = (...args: string[]) =>
      box.exec("setpriv", ["--reuid=1", "--regid=1", "--clear-groups", ...args], { env });
    assert.equal((await run(REKEY, "init")).code, 0);
    const { stdout } = await run(REKEY, "audit", "list", "--json");
    assert.match(stdout, /"actor":"daemon@[^" ]+"/);
    assert.doesNotMatch(stdout, /alice/);
    // Any user may be root or another one in a namespace of their own.
    for (const [as, name] of [["--map-root-user", "root"], ["--map-user=2", "bin"]] as const) {
      const own = await run("unshare", as, "true");
      if (own.code !== 0) continue;
      const rotated = await run("unshare", as, REKEY, "rotate", "--force");
      assert.equal(rotated.code, 0, rotated.stderr);
      const { stdout } = await run(REKEY, "audit", "list", "--json", "--event", "completed");
      const actor = new RegExp(`"actor":"${name}@[^" ]+ \\(user namespace\\)"`);
      assert.match(stdout.trim().split("\n").at(-1)!, actor);
    }
  },
});

Deno.test("a rotation over HTTP names the subject of its token, and the server's other rows do not", async () => {
  using box = await initialised();
  await using serving = await Serving.start(box, ["--workers", "1"]);
  const sub = "ci, login root";
  const token = await box.token(sub, "--scope", "admin");
  const rotate = async (body: object, token: string) => {
    const answer = await serving.post("/rotate", body, token);
    await answer.body?.cancel();
    assert.equal(answer.status, 200);
  };
  await rotate({ reason: "drill" }, token);
  assert.match(await lastActor(box), /^\S+@HOST \(([^()]*, )?token "ci\\u\{2c\} login root"\)$/);
  const again = await box.token("ops", "--scope", "admin");
  await rotate({ grace: "1h" }, again);
  assert.match(await lastActor(box), /[( ]token ops\)$/);
  assert.equal((await rows(box, "--actor", "token ops")).length, 2);
  assert.equal((await rows(box, "--actor", "login root")).length, 0);
  await serving.auth(await box.token());
  await serving.stop();
  const events = await rows(box);
  const account = events[0]!.actor.split(" (")[0];
  assert.doesNotMatch(events.at(-1)!.actor, /token/, "a retrieval of the server's own");
  const own = await rows(box, "--actor", account!);
  assert.equal(own.length, events.length);
});
