import { Buffer } from "node:buffer";
import assert from "node:assert/strict";

const NAME = "org.gnome.keyring.SystemPrompter";
const METHOD_CALL = 1;

/**
 * Takes the place of the desktop's dialog that asks for the keyring's password, and never answers, as when
 * the user is away. Speaks no more of D-Bus than it takes to own the name.
 */
export class SilentPrompter implements Disposable {
  private constructor(private readonly connection: Deno.UnixConn) {}

  static async start(address: string): Promise<SilentPrompter> {
    const path = /unix:path=([^,;]+)/.exec(address)?.[1];
    assert.ok(path, `an address that this cannot connect to: ${address}`);
    const connection = await Deno.connect({ transport: "unix", path });
    const user = Buffer.from(String(Deno.uid())).toString("hex");
    await say(connection, Buffer.from(`\0AUTH EXTERNAL ${user}\r\n`));
    assert.match(await hear(connection), /^OK /);
    await say(connection, Buffer.from("BEGIN\r\n"));
    await say(connection, call(1, "Hello"));
    await say(connection, call(2, "RequestName", "su", requestName()));
    while (!(await hear(connection)).includes("NameAcquired"));
    return new SilentPrompter(connection);
  }

  [Symbol.dispose](): void {
    this.connection.close();
  }
}

async function say(connection: Deno.UnixConn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
}

async function hear(connection: Deno.UnixConn): Promise<string> {
  const bytes = new Uint8Array(4_096);
  const count = await connection.read(bytes);
  assert.ok(count, "the bus has closed the connection");
  return Buffer.from(bytes.subarray(0, count)).toString("latin1");
}

function requestName(): Buffer {
  const flags = Buffer.alloc(4);
  return Buffer.concat([padded(text(NAME), 4), flags]);
}

/** A method call to the bus itself: D-Bus specification, "Message Format", little endian. */
function call(
  serial: number,
  member: string,
  signature = "",
  body: Buffer = Buffer.alloc(0),
): Buffer {
  const fields = [
    field(1, "o", text("/org/freedesktop/DBus")),
    field(2, "s", text("org.freedesktop.DBus")),
    field(3, "s", text(member)),
    field(6, "s", text("org.freedesktop.DBus")),
  ];
  if (signature !== "") fields.push(field(8, "g", signatureOf(signature)));
  // Each field begins at a multiple of eight; so does the first, after the fixed sixteen bytes.
  const padding = fields.map((part, index) => index < fields.length - 1 ? padded(part, 8) : part);
  const list = Buffer.concat(padding);
  const fixed = Buffer.alloc(16);
  fixed.write("l", 0, "latin1");
  fixed.writeUInt8(METHOD_CALL, 1);
  fixed.writeUInt8(1, 3);
  fixed.writeUInt32LE(body.length, 4);
  fixed.writeUInt32LE(serial, 8);
  fixed.writeUInt32LE(list.length, 12);
  return Buffer.concat([padded(Buffer.concat([fixed, list]), 8), body]);
}

function field(code: number, type: string, value: Buffer): Buffer {
  return Buffer.concat([Buffer.from([code]), signatureOf(type), value]);
}

function text(value: string): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(Buffer.byteLength(value));
  return Buffer.concat([length, Buffer.from(`${value}\0`)]);
}

function signatureOf(types: string): Buffer {
  return Buffer.from(`${String.fromCharCode(types.length)}${types}\0`, "latin1");
}

function padded(bytes: Buffer, to: number): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((to - bytes.length % to) % to)]);
}
