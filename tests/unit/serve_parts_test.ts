import assert from "node:assert/strict";
import { LogSink } from "../../src/cli/log_sink.ts";
import { isRekeyError, RekeyError } from "../../src/core/errors.ts";
import { Semaphore } from "../../src/core/semaphore.ts";
import { connect, type Port } from "../../src/serve/rpc.ts";
import { isLocal } from "../../src/serve/settings.ts";
import { systemd } from "../../src/serve/systemd.ts";

Deno.test("a semaphore lets so many through, keeps so many waiting, and turns the rest away", async () => {
  const semaphore = new Semaphore(2, 1);
  const [ends, order]: [(() => void)[], string[]] = [[], []];
  const task = (name: string) =>
    semaphore.run(async () => {
      order.push(name);
      await new Promise<void>((resolve) => ends.push(resolve));
    });
  const [a, b, c] = [task("a"), task("b"), task("c")];
  await assert.rejects(task("d"), (error) => isRekeyError(error, "busy"));
  assert.deepEqual(order, ["a", "b"]);
  ends[0]!();
  await a;
  assert.deepEqual(order, ["a", "b", "c"]);
  ends.slice(1).forEach((end) => end());
  await Promise.all([b, c]);
});

Deno.test("a semaphore goes on after a task that failed", async () => {
  const semaphore = new Semaphore(1, 1);
  await assert.rejects(semaphore.run(() => Promise.reject(new Error("no"))));
  assert.equal(await semaphore.run(() => Promise.resolve(1)), 1);
});

Deno.test("a call between threads answers; a refusal arrives as a refusal, a bug as a bug", async () => {
  const { port1, port2 } = new MessageChannel();
  const refusal = new RekeyError("throttled", "Cannot", { hint: "Wait", retryAfter: 7 });
  const methods = {
    add: (a: number, b: number) => a + b,
    refuse: () => Promise.reject(refusal),
    fail: () => {
      throw new TypeError("broken");
    },
  };
  connect(port1 as Port, methods);
  const remote = connect<typeof methods>(port2 as Port, {});
  assert.equal(await remote.add(1, 2), 3);
  await assert.rejects(remote.refuse(), (error) => {
    assert.ok(isRekeyError(error, "throttled"));
    assert.deepEqual([error.message, error.hint, error.retryAfter], ["Cannot", "Wait", 7]);
    return true;
  });
  await assert.rejects(
    remote.fail(),
    (error) => !isRekeyError(error) && /broken/.test(`${error}`),
  );
  port1.close();
  port2.close();
});

Deno.test("a log whose reader is slow drops lines and says how many", async () => {
  const written: string[] = [];
  let letGo = () => {};
  let held = true;
  const sink = new LogSink({
    async write(data) {
      if (held) await new Promise<void>((resolve) => letGo = resolve);
      written.push(new TextDecoder().decode(data));
      return data.length;
    },
  });
  const line = "x".repeat(2 ** 20);
  for (let i = 0; i < 8; i++) sink.write(line);
  held = false;
  letGo();
  await sink.flush(5_000);
  const all = written.join("");
  const kept = all.split("\n").filter((text) => text === line).length;
  const dropped = Number(/"dropped_lines":(\d+)/.exec(all)?.[1]);
  assert.equal(kept + dropped, 8);
  assert.ok(dropped >= 3);
});

Deno.test("only loopback and Unix sockets are this machine's own", () => {
  const tcp = (hostname: string) => isLocal({ kind: "tcp", hostname, port: 1 });
  for (const own of ["127.0.0.1", "127.8.9.1", "::1", "localhost"]) assert.ok(tcp(own), own);
  const others = ["0.0.0.0", "::", "10.0.0.1", "127.0.0.1.evil.example", "localhost.evil", ""];
  for (const other of others) assert.ok(!tcp(other), other);
  assert.ok(isLocal({ kind: "unix", path: "/x", mode: 0o600, group: undefined }));
});

Deno.test("the watchdog's interval is half of systemd's, and only for the process it means", () => {
  const given = (more: Record<string, string>) =>
    systemd(
      (name) => ({ NOTIFY_SOCKET: "/n", WATCHDOG_USEC: "3000000", ...more })[name],
      7,
      () => {},
    );
  assert.equal(given({}).watchdogMs, 1500);
  assert.equal(given({ WATCHDOG_PID: "7" }).watchdogMs, 1500);
  assert.equal(given({ WATCHDOG_PID: "8" }).watchdogMs, undefined);
  assert.equal(given({ WATCHDOG_USEC: "x" }).watchdogMs, undefined);
  assert.equal(systemd(() => undefined, 7, () => {}).watchdogMs, undefined);
});

Deno.test("a missing systemd is logged, and does not end the server", () => {
  const failures: string[] = [];
  const env = (name: string) => name === "NOTIFY_SOCKET" ? "/nowhere/notify" : undefined;
  systemd(env, 7, (why) => failures.push(why)).notify("READY=1");
  assert.equal(failures.length, 1);
});
