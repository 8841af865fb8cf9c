import assert from "node:assert/strict";
import { join } from "node:path";
import type { AuditRow } from "../../src/audit/events.ts";
import { exportLine } from "../../src/audit/log_parts.ts";
import { isRekeyError } from "../../src/core/errors.ts";
import { openSink } from "../../src/stream/open_sink.ts";
import { ChannelFault } from "../../src/system/channels.ts";
import { SYSTEM } from "../../src/system/system.ts";
import { unless } from "../support/faults/faults.ts";

const ROWS = Array.from({ length: 300 }, (_, index): AuditRow => ({
  seq: index + 1,
  time: "2026-11-30T06:00:00.000Z",
  event: "JWT secret rotation completed",
  version: 2,
  kid: "KfRo3R1rPWbfq0kO",
  location: "keyring",
  duration: null,
  actor: "op@vm",
  reason: "a\nb".repeat(index % 50),
  hash: `${index}`.padStart(43, "h"),
}));

const LINES = ROWS.map((row) => `${exportLine(row)}\n`);

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "rekey-test-" });
  try {
    await use(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** Sends rows to a sink of its own. @returns the last one that it surely has. */
async function sent(name: string, rows = ROWS, limitMs = 60_000): Promise<number> {
  using sink = await openSink(name, "agiworkforce");
  let last = 0;
  await sink.send(rows, performance.now() + limitMs, (seq) => last = seq);
  return last;
}

const fails = (name: string, shown = name) =>
  assert.rejects(sent(name), (error) => isRekeyError(error) && error.message.includes(shown));

// Loads the C library, which stays: no test may leave one that it has loaded.
const { inherited } = await SYSTEM.channels!.load();
assert.throws(() => inherited(65_000), ChannelFault);

Deno.test("a file gets the lines of an export, and belongs to its owner only", () =>
  withFolder(async (folder) => {
    const path = join(folder, "a.jsonl");
    assert.equal(await sent(path, ROWS.slice(0, 200)), 200);
    assert.equal(await sent(path, ROWS.slice(200)), 300);
    assert.equal(Deno.readTextFileSync(path), LINES.join(""));
    assert.equal(Deno.statSync(path).mode! & 0o777, 0o600);
  }));

Deno.test("a file that a kill has left with a torn or unnoted last line has each row once afterwards", () =>
  withFolder(async (folder) => {
    const path = join(folder, "a.jsonl");
    const whole = LINES.slice(0, 20).join("");
    const ends = [0, 1, 10, LINES[20]!.length - 2, LINES[20]!.length - 1, LINES[20]!.length];
    for (const end of ends) {
      Deno.writeTextFileSync(path, whole + LINES[20]!.slice(0, end));
      // The cursor may be anywhere before that.
      for (const from of [0, 15, 20]) assert.equal(await sent(path, ROWS.slice(from, 22)), 22);
      assert.equal(Deno.readTextFileSync(path), LINES.slice(0, 22).join(""), `${end} bytes`);
    }
    Deno.writeTextFileSync(path, LINES[0]!.slice(0, 30));
    await sent(path, ROWS.slice(0, 1));
    assert.equal(Deno.readTextFileSync(path), LINES[0]);
    const long = { ...ROWS[0]!, reason: "x".repeat(10_000) };
    Deno.writeTextFileSync(path, `${exportLine(long)}\n${LINES[1]!.slice(0, 30)}`);
    await sent(path, [long, ROWS[1]!]);
    assert.equal(Deno.readTextFileSync(path), `${exportLine(long)}\n${LINES[1]}`);
  }));

Deno.test("a file of something else stays as it is, to its last byte: it may be someone's only copy", () =>
  withFolder(async (folder) => {
    const path = join(folder, "notes");
    const head = `${LINES[0]}${LINES[1]!.slice(0, 30)}`;
    const texts = [
      "one line without an end",
      "two lines\nand no end",
      "a line\n",
      "\n",
      '{"seq":1}\n{"seq":2}\n',
      `${LINES[0]}null\n`,
      `${LINES[0]}a note`.replace("\n", "\r\n\n"),
      "x".repeat(3 * 2 ** 20),
      "\0".repeat(64),
      `# ${head.slice(0, 20)}`,
    ];
    for (const text of texts) {
      Deno.writeTextFileSync(path, text);
      await fails(path);
      assert.ok(Deno.readTextFileSync(path) === text, text.slice(0, 40));
    }
    const key = Uint8Array.from({ length: 32 }, (_, at) => 255 - at);
    Deno.writeFileSync(path, key);
    await fails(path);
    assert.deepEqual(Deno.readFileSync(path), key);
  }));

Deno.test("a file of another user is not written to", {
  ignore: unless(Deno.uid() === 0, "root"),
}, () =>
  withFolder(async (folder) => {
    const path = join(folder, "a.jsonl");
    Deno.writeTextFileSync(path, "");
    Deno.chownSync(path, 65_534, null);
    await fails(path);
    assert.equal(Deno.readTextFileSync(path), "");
  }));

Deno.test("a file that is moved or emptied is made again, and the moved one stays whole", () =>
  withFolder(async (folder) => {
    const path = join(folder, "a.jsonl");
    await sent(path, ROWS.slice(0, 10));
    Deno.renameSync(path, `${path}.1`);
    await sent(path, ROWS.slice(10, 20));
    Deno.truncateSync(path);
    await sent(path, ROWS.slice(20, 30));
    assert.equal(Deno.readTextFileSync(`${path}.1`), LINES.slice(0, 10).join(""));
    assert.equal(Deno.readTextFileSync(path), LINES.slice(20, 30).join(""));
  }));

Deno.test("what is no file is not written to, and not waited for", () =>
  withFolder(async (folder) => {
    const pipe = join(folder, "pipe");
    new Deno.Command("/usr/bin/mkfifo", { args: [pipe] }).outputSync();
    Deno.symlinkSync(join(folder, "elsewhere"), join(folder, "link"));
    for (const name of [folder, pipe, join(folder, "link"), join(folder, "missing/a.jsonl")]) {
      await fails(name);
    }
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), [
      "link",
      "pipe",
    ]);
  }));

const KINDS = ["journal", "syslog"] as const;

for (const kind of KINDS) {
  Deno.test(`${kind}: a socket of datagrams has had what was read from it, and no more`, () =>
    withFolder(async (folder) => {
      const path = join(folder, "socket");
      const name = `${kind}:${path}`;
      await fails(name, path);
      const receiver = Deno.listenDatagram({ transport: "unixpacket", path });
      // It listens and does not read: no row counts, whatever its queue has taken.
      assert.equal(await sent(name, ROWS, 50), 0);
      const reading = readAll(receiver);
      assert.equal(await sent(name), 300);
      receiver.close();
      const messages = await reading;
      const last = messages.slice(-300);
      last.forEach((text, index) => assert.ok(text.includes(ROWS[index]!.hash)));
      // The socket stays, and no one listens.
      await fails(name, path);
    }));
}

async function readAll(receiver: Deno.DatagramConn): Promise<string[]> {
  const messages: string[] = [];
  try {
    for await (const [bytes] of receiver) {
      if (bytes.length > 0) messages.push(new TextDecoder().decode(bytes));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted)) {
      throw error;
    }
  }
  return messages;
}

Deno.test("rows that a receiver of datagrams had not read when it ended do not count", () =>
  withFolder(async (folder) => {
    const path = join(folder, "socket");
    const receiver = Deno.listenDatagram({ transport: "unixpacket", path });
    using sink = await openSink(`journal:${path}`, "agiworkforce");
    let last = 0;
    const sending = sink.send(ROWS.slice(0, 1), performance.now() + 60_000, (seq) => last = seq);
    receiver.close();
    await assert.rejects(sending, (error) => isRekeyError(error, "failed"));
    assert.equal(last, 0);
  }));

Deno.test("a stream socket gets messages with their lengths, and has had what was read from it", () =>
  withFolder(async (folder) => {
    const path = join(folder, "socket");
    const name = `syslog:${path}`;
    const listener = Deno.listen({ transport: "unix", path });
    // Nothing is accepted: nothing is read.
    assert.equal(await sent(name, ROWS, 50), 0);
    (await listener.accept()).close();
    const sending = sent(name);
    const connection = await listener.accept();
    const reading = new Response(connection.readable).text();
    assert.equal(await sending, 300);
    let rest = await reading;
    for (const { hash } of ROWS) {
      const [, length] = /^(\d+) /.exec(rest)!;
      const from = length!.length + 1;
      assert.ok(rest.slice(from, from + Number(length)).includes(hash));
      rest = rest.slice(from + Number(length));
    }
    assert.equal(rest, "");
    // Whoever closes before reading has had nothing.
    const refused = assert.rejects(sent(name), (error) => isRekeyError(error, "failed"));
    (await listener.accept()).close();
    await refused;
    listener.close();
  }));

Deno.test("a descriptor that was not inherited is not written to: the runtime's own files have such numbers", () =>
  withFolder(async (folder) => {
    const path = join(folder, "own");
    using _file = Deno.openSync(path, { write: true, create: true });
    const own = [...Deno.readDirSync("/proc/self/fd")].map(({ name }) => Number(name))
      .filter((fd) => fd > 2);
    for (const fd of own) await assert.rejects(sent(`fd:${fd}`), (error) => isRekeyError(error));
    assert.equal(Deno.statSync(path).size, 0);
    await fails("fd:65000");
  }));
