import assert from "node:assert/strict";
import fc from "fast-check";
import {
  decodeMessage,
  encodeCall,
  HEAD_BYTES,
  messageLength,
} from "../../src/store/keyring/secret_service/dbus_message.ts";
import { BusError, Reader, Writer } from "../../src/store/keyring/secret_service/dbus_wire.ts";
import { message } from "../support/keyring/fake_bus.ts";

const PATHS = fc.array(fc.stringMatching(/^(\/[A-Za-z0-9_]{1,8}){1,3}$/), { maxLength: 4 });
// A text on the bus ends with a zero byte and has none inside.
const TEXT = fc.string({ unit: "grapheme" }).filter((text) => !text.includes("\0"));

/** Either a value or this error; nothing else may come out. */
function attempt(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    assert.ok(error instanceof BusError, String(error));
  }
}

Deno.test("values on the bus: what is written is read, one after the other", () => {
  fc.assert(fc.property(
    fc.nat(255),
    fc.nat(0xffff_ffff),
    TEXT,
    fc.uint8Array({ maxLength: 40 }),
    (byte, number, text, bytes) => {
      const written = new Writer().byte(byte).uint32(number).string(text).signature("a{sv}")
        .byteArray(bytes).bytes();
      const reader = new Reader(written);
      assert.equal(reader.byte(), byte);
      assert.equal(reader.uint32(), number);
      assert.equal(reader.string(), text);
      assert.equal(reader.signature(), "a{sv}");
      assert.deepEqual([...reader.byteArray()], [...bytes]);
      reader.end();
    },
  ));
});

Deno.test("a bus call that is written is read back the same", () => {
  fc.assert(fc.property(TEXT, TEXT, (name, argument) => {
    const target = { destination: "a.b", path: "/a", interface: name, member: "M" };
    const bytes = encodeCall(7, { ...target, signature: "s", body: (to) => to.string(argument) });
    assert.equal(messageLength(bytes.subarray(0, HEAD_BYTES)), bytes.length);
    const { kind, answers, signature, body } = decodeMessage(bytes);
    assert.deepEqual([kind, answers, signature], ["other", undefined, "s"]);
    assert.equal(new Reader(body).string(), argument);
  }));
});

Deno.test("a call is laid out as the specification says", () => {
  const bytes = encodeCall(1, {
    destination: "org.freedesktop.DBus",
    path: "/org/freedesktop/DBus",
    interface: "org.freedesktop.DBus",
    member: "Hello",
  });
  const text = [...bytes].map((byte) =>
    byte > 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "."
  );
  assert.equal(
    text.join(""),
    "l...........m....." + "o...../org/freedesktop/DBus....." + "s.....org.freedesktop.DBus....." +
      ".s.....Hello....." + "s.....org.freedesktop.DBus....",
  );
});

Deno.test("a damaged message gives an error of its own, or a message", () => {
  const whole = message("return", 2, "aoao", (to) => {
    to.uint32(12).string("/item/1").align(4).uint32(0);
  });
  const damaged = fc.tuple(
    fc.nat(whole.length),
    fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 3 }),
  ).map(([end, changes]) => {
    const bytes = whole.slice();
    for (const [at, byte] of changes) bytes[at] = byte;
    return bytes.subarray(0, end + 1);
  });
  fc.assert(
    fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 200 })), (bytes) => {
      attempt(() => messageLength(bytes));
      attempt(() => {
        const reader = new Reader(decodeMessage(bytes).body);
        reader.objectPaths();
        reader.objectPaths();
        reader.end();
      });
    }),
    { numRuns: 5_000 },
  );
});

Deno.test("bytes that are not D-Bus values give an error of their own", () => {
  const reads: ((reader: Reader) => unknown)[] = [
    (reader) => reader.byte(),
    (reader) => reader.uint32(),
    (reader) => reader.string(),
    (reader) => reader.signature(),
    (reader) => reader.objectPath(),
    (reader) => reader.byteArray(),
    (reader) => reader.objectPaths(),
    (reader) => reader.align(8),
    (reader) => reader.end(),
  ];
  const steps = fc.array(fc.constantFrom(...reads), { maxLength: 6 });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), steps, (bytes, steps) => {
      const reader = new Reader(bytes);
      attempt(() => steps.forEach((read) => read(reader)));
    }),
    { numRuns: 5_000 },
  );
});

Deno.test("paths of objects: as many as there are", () => {
  fc.assert(fc.property(PATHS, (paths) => {
    const list = new Writer();
    for (const path of paths) list.align(4).string(path);
    const reader = new Reader(new Writer().byteArray(list.bytes()).bytes());
    assert.deepEqual(reader.objectPaths(), paths);
    reader.end();
  }));
});

for (
  const [name, bytes] of Object.entries({
    "a length past the end": [255, 255, 255, 255],
    "no zero byte at the end": [1, 0, 0, 0, 0x61, 0x61],
    "a zero byte inside": [2, 0, 0, 0, 0x61, 0, 0],
    "no UTF-8": [1, 0, 0, 0, 0xff, 0],
  })
) {
  Deno.test(`a text on the bus with ${name} is refused`, () => {
    assert.throws(() => new Reader(Uint8Array.from(bytes)).string(), BusError);
  });
}

Deno.test("a list that ends inside one of its paths, and bytes that are left over, are refused", () => {
  const inside = Uint8Array.of(5, 0, 0, 0, 2, 0, 0, 0, 0x2f, 0x61, 0);
  assert.throws(() => new Reader(inside).objectPaths(), BusError);
  assert.throws(() => new Reader(Uint8Array.of(0)).end(), BusError);
});

Deno.test("another order of bytes or version than ours is refused", () => {
  const head = encodeCall(1, { destination: "a.b", path: "/", interface: "a.b", member: "M" })
    .subarray(0, HEAD_BYTES);
  assert.ok(messageLength(head) > HEAD_BYTES);
  assert.throws(() => messageLength(head.with(0, 0x42)), BusError);
  assert.throws(() => messageLength(head.with(3, 2)), BusError);
});
