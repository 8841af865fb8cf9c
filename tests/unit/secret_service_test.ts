import assert from "node:assert/strict";
import fc from "fast-check";
import { QuickReader } from "../../src/store/keyring/secret_service/client.ts";
import { SecretSession } from "../../src/store/keyring/secret_service/service_calls.ts";
import {
  ACCEPTED,
  FakeBus,
  FakeService,
  message,
  type Script,
  writeAll,
} from "../support/keyring/fake_bus.ts";
import { ownTime } from "../support/timing/own_time.ts";
import { HANG_MS, until } from "../support/timing/pause.ts";

const LINUX = Deno.build.os === "linux";
const ITEM = { service: "a", account: "b" };
const LIMIT = 300;
/** What a busy machine may add. */
const LATE = 1_000;

const VALUE = `a value \u{1f511} of an item`;
const service = () => new FakeService(new TextEncoder().encode(VALUE));

/** One read; whatever comes of it must come in time. A value that is due is waited for. */
async function readBy(script: Script, limit = HANG_MS): Promise<string | undefined> {
  await using bus = new FakeBus(script);
  const reader = new QuickReader({ address: bus.address, runtimeFolder: undefined });
  let value: string | undefined;
  const took = await ownTime(async () => value = await reader.read(ITEM, limit));
  assert.ok(took < limit + LATE, `it must end in time, and took ${took} ms`);
  await hasConnected(bus);
  return value;
}

/** One client has connected; on a machine that stood still it may have given up before it was seen. */
async function hasConnected(bus: FakeBus): Promise<void> {
  await until(() => bus.connections > 0);
  assert.equal(bus.connections, 1);
}

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: !LINUX, fn });
}

test("an item is read over the bus", async () => {
  assert.equal(await readBy(service().script()), VALUE);
});

test("a key of either side that begins with zeros, or a shared one, makes no difference", async () => {
  // One of 256 does, of each of the three.
  await using bus = new FakeBus((connection) => service().script()(connection));
  const reader = new QuickReader({ address: bus.address, runtimeFolder: undefined });
  for (let i = 0; i < 600; i++) assert.equal(await reader.read(ITEM, HANG_MS), VALUE);
});

Deno.test("each session on the bus has a key of its own", () => {
  const keys = Array.from({ length: 20 }, () => new SecretSession().publicKey.toHex());
  assert.equal(new Set(keys).size, keys.length);
});

test("an answer in pieces is put together", async () => {
  const whole = service();
  const value = await readBy((connection) => {
    const slow = {
      ...connection,
      read: (bytes: Uint8Array) => connection.read(bytes),
      async write(bytes: Uint8Array) {
        for (const byte of bytes) await connection.write(Uint8Array.of(byte));
        return bytes.length;
      },
    };
    return whole.script()(slow as Deno.Conn);
  });
  assert.equal(value, VALUE);
});

const silent: Script = async (connection) => {
  while (await connection.read(new Uint8Array(1024)) !== null);
};
const says = (...parts: (string | Uint8Array)[]): Script => async (connection) => {
  for (const part of parts) {
    await writeAll(connection, typeof part === "string" ? new TextEncoder().encode(part) : part);
  }
  await silent(connection);
};
const instead = (n: number, bytes: Uint8Array): Script =>
  service().script((message, at) => at === n ? bytes : message);
const HUGE = Uint8Array.of(0x6c, 2, 1, 1, 255, 255, 255, 255, 1, 0, 0, 0, 255, 255, 255, 255);
const error = (answers: number) =>
  message("error", answers, "s", (to) => to.string("org.example.Error"));
const fake = service();

const FAULTS: Record<string, Script> = {
  "says nothing": silent,
  "hangs up": () => Promise.resolve(),
  "says rubbish": says("HTTP/1.1 400 Bad Request\r\n\r\n"),
  "never ends its first line": says("OK".repeat(40_000)),
  "rejects the user": says("REJECTED EXTERNAL\r\n"),
  "accepts the user and is silent afterwards": says(ACCEPTED),
  "accepts the user and says rubbish": says(ACCEPTED, "rubbish, and enough of it for a message"),
  "says that a message is four gigabytes long": says(ACCEPTED, HUGE),
  "says half a message": says(ACCEPTED, fake.hello(), fake.found().subarray(0, 40)),
  "tells of other things without an end": async (connection) => {
    await writeAll(connection, ACCEPTED);
    for (;;) await writeAll(connection, message("signal", 1, ""));
  },
  "refuses the search": instead(1, error(2)),
  "finds no item": instead(1, fake.found([])),
  "finds two items": instead(1, fake.found(["/item/1", "/item/2"])),
  "finds a locked item": instead(1, fake.found([], ["/item/1"])),
  "finds an unlocked item and a locked one": instead(1, fake.found(["/item/1"], ["/item/2"])),
  "finds what is no item": instead(1, fake.found(["item"])),
  "refuses the session": instead(2, error(3)),
  "has a key of no bytes": instead(2, fake.session(new Uint8Array())),
  "has a key of too many bytes": instead(2, fake.session(new Uint8Array(129).fill(1))),
  "has another key than it says": instead(2, fake.session(new Uint8Array(128).fill(2))),
  "has a session of another type": instead(2, message("return", 3, "s", (to) => to.string("x"))),
  "refuses the value": instead(3, error(4)),
  "has a value that is no text": new FakeService(Uint8Array.of(0xff, 0xfe)).script(),
};

for (const [name, script] of Object.entries(FAULTS)) {
  test(`a bus or service that ${name}: the usual way is left to find out`, async () => {
    assert.equal(await readBy(script, LIMIT), undefined);
  });
}

test("a damaged conversation gives a value or none, and always ends", async () => {
  const change = fc.record({
    n: fc.nat(3),
    // Of the part that is cut off, or from which on a byte is another one.
    at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
    byte: fc.option(fc.nat(255), { nil: undefined }),
  });
  await fc.assert(
    fc.asyncProperty(change, async ({ n, at, byte }) => {
      const script = service().script((bytes, i) => {
        if (i !== n) return bytes;
        const changed = bytes.slice();
        const place = Math.floor(at * bytes.length);
        if (byte === undefined) return changed.subarray(0, place);
        changed[place] = byte;
        return changed;
      });
      // A text without its end must not be waited for longer than was said.
      const value = await readBy(script, 100);
      assert.ok(value === undefined || typeof value === "string");
    }),
    { numRuns: 60 },
  );
});

test("a bus that has not answered once is not asked again", async () => {
  await using bus = new FakeBus(silent);
  const reader = new QuickReader({ address: bus.address, runtimeFolder: undefined });
  assert.equal(await reader.read(ITEM, 50), undefined);
  assert.equal(await reader.read(ITEM, 50), undefined);
  await hasConnected(bus);
});

test("where no bus is possible none is looked for", async () => {
  const addresses = [
    undefined,
    "",
    "unix:path=/nowhere/bus",
    "unix:path=relative",
    "unix:tmpdir=/tmp",
    "unixexec:path=/bin/true",
    "tcp:host=127.0.0.1,port=9",
    "unix:path=/a;unix:path=/b",
    "unix:abstract=/nowhere",
    "rubbish",
  ];
  for (const address of addresses) {
    const reader = new QuickReader({ address, runtimeFolder: undefined });
    assert.equal(await reader.read(ITEM, LIMIT), undefined, address);
  }
});
