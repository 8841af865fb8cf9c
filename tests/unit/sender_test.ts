import assert from "node:assert/strict";
import { join } from "node:path";
import { EVENTS } from "../../src/audit/events.ts";
import { auditRowsAfter } from "../../src/audit/reader.ts";
import { AuditSinks } from "../../src/audit/sinks.ts";
import { SecretManager } from "../../src/secret/manager.ts";
import { AuditStream } from "../../src/serve/audit_stream.ts";
import { Installation } from "../../src/store/installation.ts";
import { nameSinks } from "../../src/store/named_sinks.ts";
import { SinkSender } from "../../src/stream/sender.ts";
import { ChannelFault } from "../../src/system/channels.ts";
import { SYSTEM } from "../../src/system/system.ts";
import { testEnvironment } from "../support/store/environment.ts";

// Loads the C library, which stays: no test may leave one that it has loaded.
const { inherited } = await SYSTEM.channels!.load();
assert.throws(() => inherited(65_000), ChannelFault);

/** Several connections to one database whose log is sent to a file, as so many processes. */
async function withProcesses(
  count: number,
  use: (processes: readonly Installation[], path: string) => Promise<void>,
): Promise<void> {
  using environment = testEnvironment();
  const manager = new SecretManager(environment);
  await manager.getOrCreate();
  manager.close();
  const path = join(environment.folders.data, "audit.jsonl");
  const open = () => Installation.openExisting({ ...environment, auditTo: [path] })!;
  const processes = Array.from({ length: count }, open);
  try {
    await use(processes, path);
  } finally {
    processes.forEach((one) => one.close());
  }
}

async function log(installation: Installation): Promise<void> {
  const audit = await installation.audit();
  installation.database.transaction(() => audit.append({ event: EVENTS.moved }));
}

const decoder = new TextDecoder();

const soon = () => performance.now() + 60_000;

Deno.test("while one process sends, another leaves its rows to it: they are sent too, in order and once", () =>
  withProcesses(2, async ([one, other], path) => {
    const name = `journal:${path}`;
    const receiver = Deno.listenDatagram({ transport: "unixpacket", path });
    nameSinks(one!.database, [name]);
    await log(one!);
    using first = new SinkSender(name);
    using second = new SinkSender(name);
    // It waits for its row to be read.
    const sending = first.drain(one!, soon());
    await log(other!);
    assert.equal(await second.drain(other!, performance.now() + 2_000), undefined);
    assert.equal(second.isBehind(other!), true);
    const received: (string | undefined)[] = [];
    const reading = (async () => {
      for await (const [bytes] of receiver) {
        // An empty one asks only whether someone reads.
        if (bytes.length > 0) received.push(/^REKEY_SEQ=(.*)$/m.exec(decoder.decode(bytes))?.[1]);
      }
    })();
    assert.equal(await sending, undefined);
    assert.equal(first.isBehind(one!), false);
    const rows = auditRowsAfter(one!.database, 0, 100).slice(-2).map(({ seq }) => String(seq));
    assert.deepEqual(received, rows);
    receiver.close();
    await reading.catch(() => {});
  }));

Deno.test("why a sink has failed is noted once, and forgotten when it works", () =>
  withProcesses(1, async ([installation], path) => {
    const sinks = new AuditSinks(installation!.database);
    Deno.mkdirSync(path);
    await log(installation!);
    using sender = new SinkSender(path);
    const failure = await sender.drain(installation!, soon());
    assert.equal(failure!.code, "sink_unusable");
    assert.match(failure!.message, /it is a folder/);
    const { error, failed_at } = sinks.find(path)!;
    assert.equal(error, failure!.message);
    const change = installation!.database.change();
    await sender.drain(installation!, soon());
    assert.equal(installation!.database.change(), change, "the same failure is not written again");
    assert.equal(sinks.find(path)!.failed_at, failed_at);
    Deno.removeSync(path);
    assert.equal(await sender.drain(installation!, soon()), undefined);
    assert.deepEqual([sinks.find(path)!.error, sinks.find(path)!.failed_at], [null, null]);
    // One that is no longer used is not added again by a sender that goes on.
    installation!.database.transaction(() => sinks.remove(path));
    await sender.drain(installation!, soon());
    assert.equal(sinks.find(path), undefined);
  }));

// A timer that went on would be found by the test runner: nothing stops the stream here.
Deno.test("a bug ends the sending of a program that goes on, instead of being told with each look", async () => {
  using environment = testEnvironment();
  const bug = new TypeError("a bug");
  const broken = Object.defineProperty({ ...environment, auditTo: ["journal"] }, "folders", {
    get() {
      throw bug;
    },
  });
  const { promise, resolve } = Promise.withResolvers<unknown>();
  new AuditStream({ environment: broken, warn() {}, remark() {}, onBug: resolve });
  assert.equal(await promise, bug);
});
