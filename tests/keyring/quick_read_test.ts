import assert from "node:assert/strict";
import { join } from "node:path";
import { ACCEPTED, FakeBus, message, type Script, writeAll } from "../support/keyring/fake_bus.ts";
import { ACCOUNT, KeyringBox } from "../support/keyring/keyring_box.ts";
import { traceRun } from "../support/process/trace.ts";
import { pause } from "../support/timing/pause.ts";

/** A cache folder in which no addon can be: a file is in its place. */
function noAddon(box: KeyringBox): Record<string, string> {
  const XDG_CACHE_HOME = join(box.home, "no-folder");
  Deno.writeTextFileSync(XDG_CACHE_HOME, "");
  return { XDG_CACHE_HOME };
}

const code = (stderr: string) => JSON.parse(stderr.split("\n")[0]!).error.code;

Deno.test("an unlocked secret is read without the addon; everything else needs it", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  const token = await box.token();
  const env = noAddon(box);
  const commands = [["verify", token], ["status"], ["issue", "--sub", "a"], ["exec", "--", "true"]];
  for (const args of commands) {
    const { code, stderr } = await box.run(args, { env });
    assert.equal(code, 0, `${args[0]}: ${stderr}`);
    const { touches } = await traceRun(box, args);
    assert.deepEqual(touches.filter(({ what }) => what.endsWith(".node")), [], args[0]);
  }
  const refused = async (why: string) => {
    const { code: exit, stderr } = await box.run(["verify", token, "--json"], { env });
    assert.deepEqual([exit, code(stderr)], [4, "keyring_failed"], why);
    assert.match(stderr, /addon/);
  };
  assert.equal((await box.run(["rotate", "--force"], { env })).code, 4, "a write");
  await box.lock();
  await refused("locked");
  await box.unlock();
  const attributes = ["service", "AGI Workforce", "username", "agiworkforce.jwt_secret"];
  const more = ["store", "--label=x", ...attributes, "extra", "x"];
  await box.exec("secret-tool", more, { stdin: "other" });
  await refused("two items");
  await box.clear();
  await refused("none");
  await box.kill();
  await refused("no service");
});

/** Listens in the real bus's place and hands on whatever comes, but not to those who say everything at once. */
function slowStarter(path: string): Script {
  return async (connection) => {
    const first = new Uint8Array(1024);
    const count = await connection.read(first) ?? 0;
    if (count > 100) {
      while (await connection.read(first) !== null);
      return;
    }
    const bus = await Deno.connect({ transport: "unix", path });
    await writeAll(bus, first.subarray(0, count));
    const back = bus.readable.pipeTo(connection.writable).catch(() => {});
    await connection.readable.pipeTo(bus.writable).catch(() => {});
    await back;
  };
}

/** After how long the addon gives up an answer, nearly; rekey then makes the call again. */
const ADDON_MS = 1_900;

Deno.test("a bus that only the addon can speak to is spoken to by the addon", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  const path = /path=([^,]*)/.exec(box.env.DBUS_SESSION_BUS_ADDRESS!)![1]!;
  await using bus = new FakeBus(slowStarter(path));
  const env = { DBUS_SESSION_BUS_ADDRESS: bus.address };
  const began = performance.now();
  const { code, stderr } = await box.run(["issue", "--sub", "a"], { env });
  const took = performance.now() - began;
  assert.equal(code, 0, stderr);
  // The quick read, the question which program it is, and the addon: again, if the answer was late.
  assert.ok(bus.connections === 3 || took > ADDON_MS, `${bus.connections} in ${took} ms`);
});

const says = (...parts: Uint8Array[]): Script => async (connection) => {
  for (const part of parts) await writeAll(connection, part);
  while (await connection.read(new Uint8Array(1024)) !== null);
};
const text = (line: string) => new TextEncoder().encode(line);
const HUGE = Uint8Array.of(0x6c, 2, 1, 1, 255, 255, 255, 255, 1, 0, 0, 0, 255, 255, 255, 255);
const HELLO = message("return", 1, "s", (to) => to.string(":1.1"));

const BUSES: Record<string, Script> = {
  "says nothing": says(),
  "hangs up": () => Promise.resolve(),
  "says rubbish": says(text("HTTP/1.1 400 Bad Request\r\n\r\n")),
  "says rubbish after it has accepted its user": says(ACCEPTED, text("rubbish".repeat(100))),
  "says that a message is four gigabytes long": says(ACCEPTED, HUGE),
  "says half a message": says(ACCEPTED, HELLO.subarray(0, 30)),
  "is silent after its first answer": says(ACCEPTED, HELLO),
};

/** What is waited for one second at most has ended by then, even on a machine that stands still for seconds. */
const SOON_MS = 10_000;

for (const [name, script] of Object.entries(BUSES)) {
  Deno.test(`a session bus that ${name}: exit 4, in the time that was given`, async () => {
    await using box = await KeyringBox.start();
    await box.run(["init"]);
    const token = await box.token();
    await using bus = new FakeBus(script);
    const env = { DBUS_SESSION_BUS_ADDRESS: bus.address, REKEY_KEYRING_TIMEOUT: "1s" };
    const start = performance.now();
    const { code: exit, stderr } = await box.run(["verify", token, "--json"], { env });
    const took = performance.now() - start;
    assert.equal(exit, 4, stderr);
    assert.equal(code(stderr), "keyring_timeout", "as the addon finds");
    assert.ok(took < SOON_MS, `${took} ms`);
  });
}

Deno.test("a stopped keyring is waited for as long as was said, and no longer", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  const token = await box.token();
  box.stop();
  const waited = async (seconds: number) => {
    const start = performance.now();
    const { code: exit, stderr } = await box.run(["verify", token, "--json"], {
      env: { REKEY_KEYRING_TIMEOUT: `${seconds}s` },
    });
    assert.deepEqual([exit, code(stderr)], [4, "keyring_timeout"]);
    return performance.now() - start;
  };
  // The least of three: a machine may stand still for seconds, but not each time.
  const least = Math.min(await waited(1), await waited(1), await waited(1));
  assert.ok(least >= 1_000 && least < 4_000, `${least} ms`);
  // Without a word it would be three seconds.
  const longer = await waited(6);
  assert.ok(longer >= 6_000, `${longer} ms`);
  box.cont();
});

Deno.test("a keyring that is slow is waited for longer than its library waits, and has one secret", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  const token = await box.token();
  for (const [args, code] of [[["rotate", "--force"], 0], [["verify", token], 3]] as const) {
    box.stop();
    const env = { REKEY_KEYRING_TIMEOUT: "60s" };
    const running = box.run([...args], { env });
    await pause(5_000);
    box.cont();
    const ended = await running;
    assert.equal(ended.code, code, ended.stderr);
  }
  assert.deepEqual(await box.accounts(), [ACCOUNT]);
  assert.equal((await box.json("verify", await box.token())).version, 2);
});
