import assert from "node:assert/strict";
import { join } from "node:path";
import { unless } from "../support/faults/faults.ts";
import { ACCOUNT, KeyringBox } from "../support/keyring/keyring_box.ts";
import { traceRun } from "../support/process/trace.ts";

/** A user without an account here. */
const STRANGER = 54321;

/** Listens as another user, says so, and prints what it is sent. */
const LISTEN = `
import os, socket, sys
name = sys.argv[1]
os.setuid(${STRANGER})
listener = socket.socket(socket.AF_UNIX)
listener.bind("\\0" + name[1:] if name[0] == "@" else name)
listener.listen()
print("listening", flush=True)
while True:
    got = listener.accept()[0].recv(100)
    if got: print("got", len(got), flush=True)
`;
import { start } from "../../scripts/program.ts";

/** A bus of another user, until the block ends. */
async function hostileBus(name: string): Promise<Disposable & { heard(): Promise<string> }> {
  const child = start("/usr/bin/python3", ["-c", LISTEN, name], { stdout: "piped" });
  const reader = child.stdout.getReader();
  const decoder = new TextDecoder();
  assert.match(decoder.decode((await reader.read()).value), /listening/);
  return {
    async heard() {
      child.kill("SIGKILL");
      let text = "";
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        text += decoder.decode(part.value);
      }
      return text;
    },
    [Symbol.dispose]() {
      reader.releaseLock();
      child.stdout.cancel();
    },
  };
}

Deno.test("an address that starts a program, or leads elsewhere than to a socket, is refused", async () => {
  await using box = await KeyringBox.start();
  const good = box.env.DBUS_SESSION_BUS_ADDRESS!;
  const program = join(box.home, "program");
  Deno.writeTextFileSync(program, `#!/bin/sh\n: > "${box.home}/ran"\n`);
  Deno.chmodSync(program, 0o755);
  const addresses = [
    `unixexec:path=${program}`,
    `${good};unixexec:path=${program}`,
    "tcp:host=127.0.0.1,port=9",
    "nonce-tcp:host=127.0.0.1,port=9,noncefile=/etc/passwd",
    "autolaunch:",
    "systemd:",
    program,
  ];
  for (const address of addresses) {
    const env = { DBUS_SESSION_BUS_ADDRESS: address };
    const { ended, touches } = await traceRun(box, ["init"], { env });
    assert.equal(ended.code, 4, ended.stderr);
    assert.match(ended.stderr, /DBUS_SESSION_BUS_ADDRESS is not the address of a Unix socket/);
    const strange = touches.filter(({ how, what }) =>
      what === program || (how === "connected" && !/\/nscd\/socket$/.test(what))
    );
    assert.deepEqual(strange, [], address);
    assert.throws(() => Deno.lstatSync(box.database), Deno.errors.NotFound, "no second secret");
  }
  assert.equal((await box.json("init")).location, "keyring");
});

const STRANGERS = [["path", "bus"], ["abstract", "bus"], ["path", "b\u00fcs"]] as const;
for (const [kind, file] of STRANGERS) {
  Deno.test({
    name: `a session bus of another user's is not spoken to: ${kind} ${file}`,
    ignore: unless(Deno.uid() === 0, "root"),
    async fn() {
      await using box = await KeyringBox.start();
      await box.run(["init"]);
      const value = await box.lookup(ACCOUNT);
      Deno.chmodSync(box.home, 0o711);
      const folder = join(box.home, "shared");
      Deno.mkdirSync(folder);
      Deno.chmodSync(folder, 0o1777);
      const name = join(folder, file);
      using bus = await hostileBus(kind === "path" ? name : `@${name}`);
      const env = { DBUS_SESSION_BUS_ADDRESS: `unix:${kind}=${encodeURIComponent(name)}` };
      for (const args of [["rotate", "--force"], ["issue", "--sub", "a"]]) {
        const { code, stderr } = await box.run(args, { env });
        assert.equal(code, 4, stderr);
        assert.match(stderr, /the session bus belongs to another user/);
      }
      const two = `${env.DBUS_SESSION_BUS_ADDRESS},${box.env.DBUS_SESSION_BUS_ADDRESS!.slice(5)}`;
      const both = await box.run(["status"], { env: { DBUS_SESSION_BUS_ADDRESS: two } });
      assert.equal(both.code, 4);
      assert.match(both.stderr, /names two sockets at once/);
      if (kind === "path" && file === "bus") {
        // Without an address the library looks here, and sees by itself whose it is.
        const own = { DBUS_SESSION_BUS_ADDRESS: "", XDG_RUNTIME_DIR: folder };
        assert.equal((await box.run(["issue", "--sub", "a"], { env: own })).code, 4);
      }
      assert.doesNotMatch(await bus.heard(), /got/, "it is told nothing");
      assert.equal(await box.lookup(ACCOUNT), value);
      assert.equal((await box.run(["rotate", "--force"])).code, 0);
    },
  });
}

Deno.test({
  name: "a session bus in a folder where others can exchange it is not spoken to",
  ignore: unless(Deno.uid() === 0, "root"),
  async fn() {
    await using box = await KeyringBox.start();
    const open = join(box.home, "open");
    Deno.mkdirSync(open);
    Deno.chmodSync(open, 0o777);
    const path = /path=([^,]*)/.exec(box.env.DBUS_SESSION_BUS_ADDRESS!)![1]!;
    Deno.symlinkSync(path, join(open, "bus"));
    const env = { DBUS_SESSION_BUS_ADDRESS: `unix:path=${join(open, "bus")}` };
    const { code, stderr } = await box.run(["init"], { env });
    assert.equal(code, 4, stderr);
    assert.match(stderr, /the session bus cannot be trusted/);
  },
});

Deno.test("without a session bus there is no keyring, and no new secret", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  for (const runtime of ["", box.home]) {
    const env = { DBUS_SESSION_BUS_ADDRESS: "", XDG_RUNTIME_DIR: runtime };
    for (const args of [["status"], ["rotate", "--force"], ["init"]]) {
      const { code, stderr } = await box.run([...args, "--json"], { env });
      assert.equal(code, 4);
      assert.equal(JSON.parse(stderr.split("\n")[0]!).error.code, "keyring_absent");
    }
  }
  assert.equal((await box.json("status")).version, 1);
});
