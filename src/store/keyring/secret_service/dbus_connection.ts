import { joinPieces } from "../../../core/encoding.ts";
import process from "node:process";
import {
  decodeMessage,
  encodeCall,
  HEAD_BYTES,
  type Message,
  messageLength,
  type MethodCall,
} from "./dbus_message.ts";
import { BusError, Reader } from "./dbus_wire.ts";

/** Size of the receive buffer: many times what an item of a keyring takes. */
const BUFFER_BYTES = 65_536;

const BUS = "org.freedesktop.DBus";

/** Address of the bus itself, for a call. */
export const DBUS = { destination: BUS, path: "/org/freedesktop/DBus", interface: BUS };

/** Asks for the id of the bus. Answer: `s`. */
export const GET_ID: MethodCall = { ...DBUS, member: "GetId" };
const HELLO: MethodCall = { ...DBUS, member: "Hello" };
const NEWLINE = 0x0a;

/**
 * A connection to a D-Bus message bus over a Unix socket, for a few calls. Several calls can be sent before the first
 * answer is awaited.
 *
 * Each method throws {@linkcode BusError} when the connection fails, or the other end breaks the protocol.
 */
export class BusConnection implements Disposable {
  readonly #received = new Uint8Array(BUFFER_BYTES);
  #filled = 0;
  #read = 0;
  #serial = 0;
  readonly #answers = new Map<number, Message>();
  #signals: Message[] = [];
  #isAccepted = false;
  #unsent: Uint8Array[];

  private constructor(private readonly socket: Deno.Conn) {
    this.#unsent = [authentication()];
    this.enqueue(HELLO);
  }

  /** Connects to the socket at a path. */
  static async open(socket: string): Promise<BusConnection> {
    return new BusConnection(await io(Deno.connect({ transport: "unix", path: socket })));
  }

  /** Queues a call until {@linkcode BusConnection.flush}. Returns its serial number. */
  enqueue(call: MethodCall): number {
    this.#unsent.push(encodeCall(++this.#serial, call));
    return this.#serial;
  }

  /** Sends the queued calls. */
  async flush(): Promise<void> {
    const bytes = joinPieces(this.#unsent);
    this.#unsent = [];
    for (let sent = 0; sent < bytes.length;) {
      sent += await io(this.socket.write(bytes.subarray(sent)));
    }
  }

  /** Makes one call. @param signature that the answer must have. */
  async ask(call: MethodCall, signature: string): Promise<Reader> {
    const serial = this.enqueue(call);
    await this.flush();
    return await this.answer(serial, signature);
  }

  /** Waits for the answer to a call. @param signature that the answer must have. */
  async answer(serial: number, signature: string): Promise<Reader> {
    if (!this.#isAccepted) await this.#beAccepted();
    for (;;) {
      const message = this.#answers.get(serial);
      if (message === undefined) await this.#receive();
      else if (message.kind === "error") throw BusError.refusal();
      else return bodyOf(message, signature);
    }
  }

  /** Waits for a signal that matches a rule of this connection. @param signature that it must have. */
  async signal(path: string, member: string, signature: string): Promise<Reader> {
    for (;;) {
      const found = this.#signals.find((each) => each.path === path && each.member === member);
      if (found !== undefined) return bodyOf(found, signature);
      await this.#receive();
    }
  }

  /** Overwrites the received messages. Earlier readers must not be used any more. */
  forget(): void {
    this.#answers.clear();
    this.#signals = [];
    this.#received.copyWithin(0, this.#read, this.#filled);
    this.#received.fill(0, this.#filled - this.#read, this.#filled);
    this.#filled -= this.#read;
    this.#read = 0;
  }

  /** Closes the connection: everything that waits on it fails. */
  abandon(): void {
    try {
      this.socket.close();
    } catch (error) {
      // It is closed already.
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#received.fill(0);
    this.abandon();
  }

  async #beAccepted(): Promise<void> {
    let end: number;
    while ((end = this.#received.subarray(0, this.#filled).indexOf(NEWLINE)) < 0) {
      await this.#fill();
    }
    this.#read = end + 1;
    const line = new TextDecoder("latin1").decode(this.#received.subarray(0, this.#read));
    if (!/^OK [0-9a-f]+\r\n$/.test(line)) throw new BusError("The bus does not accept this user");
    this.#isAccepted = true;
  }

  async #receive(): Promise<void> {
    const message = decodeMessage(
      await this.#take(messageLength(await this.#take(HEAD_BYTES, false))),
    );
    if (message.kind === "signal") this.#signals.push(message);
    else if (message.kind !== "other") this.#answers.set(message.answers!, message);
  }

  async #take(count: number, consume = true): Promise<Uint8Array> {
    if (count > BUFFER_BYTES - this.#read) throw new BusError("The bus sends too much");
    while (this.#filled - this.#read < count) await this.#fill();
    const bytes = this.#received.subarray(this.#read, this.#read + count);
    if (consume) this.#read += count;
    return bytes;
  }

  async #fill(): Promise<void> {
    const room = this.#received.subarray(this.#filled);
    if (room.length === 0) throw new BusError("The bus sends too much");
    const count = await io(this.socket.read(room));
    if (count === null) throw new BusError("The bus closed the connection");
    this.#filled += count;
  }
}

function bodyOf({ signature, body }: Message, wanted: string): Reader {
  if (signature !== wanted) throw new BusError("A message has another type");
  return new Reader(body);
}

/**
 * Runs `work` with a connection to the bus at a socket, and closes it after `limit` milliseconds at the latest.
 *
 * @throws {BusError} as {@linkcode BusConnection} does.
 */
export async function overBus<T>(
  socket: string,
  limit: number,
  work: (bus: BusConnection) => Promise<T>,
): Promise<T> {
  using connection = await BusConnection.open(socket);
  const timer = setTimeout(() => connection.abandon(), limit);
  try {
    return await work(connection);
  } finally {
    clearTimeout(timer);
  }
}

// Names the user id, which the kernel confirms to the bus. The first calls are sent before the bus accepts it: nothing
// in them is secret.
function authentication(): Uint8Array {
  const user = [...String(process.geteuid!())].map((digit) => `3${digit}`).join("");
  return new TextEncoder().encode(`\0AUTH EXTERNAL ${user}\r\nBEGIN\r\n`);
}

async function io<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (cause) {
    throw new BusError("The bus cannot be reached", { cause });
  }
}
