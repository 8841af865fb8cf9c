import { join } from "node:path";
import { createCipheriv, createDiffieHellman, hkdfSync, randomBytes } from "node:crypto";
import { Writer } from "../../../src/store/keyring/secret_service/dbus_wire.ts";

const ANSWER = { return: 2, error: 3, signal: 4 };

/** A message as a bus sends it. Its serial number is `serial`; it answers call `answers`. */
export function message(
  kind: keyof typeof ANSWER,
  answers: number,
  signature: string,
  body: (to: Writer) => void = () => {},
): Uint8Array {
  const content = new Writer();
  body(content);
  const fields = [
    (to: Writer) => to.byte(5).signature("u").uint32(answers),
    // An unknown field must be skipped.
    (to: Writer) => to.byte(7).signature("s").string(":1.7"),
  ];
  if (signature !== "") fields.push((to) => to.byte(8).signature("g").signature(signature));
  return new Writer().byte(0x6c, ANSWER[kind], 1, 1).uint32(content.length).uint32(answers)
    .structs(fields).align(8).byte(...content.bytes()).bytes();
}

/** What a fake bus does with a connection. */
export type Script = (connection: Deno.Conn) => Promise<void>;

/** A socket that something else than a session bus listens on. */
export class FakeBus implements AsyncDisposable {
  readonly #folder = Deno.makeTempDirSync({ prefix: "rekey-test-" });
  readonly path = join(this.#folder, "bus");
  readonly #listener = Deno.listen({ transport: "unix", path: this.path });
  readonly #open = new Set<Promise<void>>();
  /** How many have connected. */
  connections = 0;

  constructor(private readonly script: Script) {
    this.#accept();
  }

  get address(): string {
    return `unix:path=${this.path}`;
  }

  async #accept(): Promise<void> {
    for await (const connection of this.#listener) {
      this.connections++;
      // Whoever is spoken to may hang up.
      const ended = this.script(connection).catch(() => {}).then(() => connection.close());
      this.#open.add(ended.catch(() => {}));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await Promise.all(this.#open);
    Deno.removeSync(this.#folder, { recursive: true });
  }
}

/** The first answer of a bus that accepts its client. */
export const ACCEPTED = new TextEncoder().encode(`OK ${"0".repeat(32)}\r\n`);

/** A Secret Service's answers to the calls of one read, in their order, and its item. */
export class FakeService {
  readonly #exchange = createDiffieHellman(MODP2, "hex", 2);
  readonly #ours = this.#exchange.generateKeys();

  constructor(private readonly value: Uint8Array) {}

  hello(): Uint8Array {
    return message("return", 1, "s", (to) => to.string(":1.1"));
  }

  found(unlocked = ["/item/1"], locked: string[] = []): Uint8Array {
    const paths = (to: Writer, list: string[]) => {
      const bytes = new Writer();
      for (const path of list) bytes.align(4).string(path);
      to.align(4).byteArray(bytes.bytes());
    };
    return message("return", 2, "aoao", (to) => {
      paths(to, unlocked);
      paths(to, locked);
    });
  }

  session(ours: Uint8Array = this.#ours): Uint8Array {
    return message(
      "return",
      3,
      "vo",
      (to) => to.signature("ay").byteArray(ours).string("/session/1"),
    );
  }

  /** @param theirs the client's key. */
  secret(theirs: Uint8Array): Uint8Array {
    const shared = new Uint8Array(128);
    const agreed = this.#exchange.computeSecret(theirs);
    shared.set(agreed, shared.length - agreed.length);
    const none = new Uint8Array();
    const key = new Uint8Array(hkdfSync("sha256", shared, none, none, 16));
    const initial = randomBytes(16);
    const cipher = createCipheriv("aes-128-cbc", key, initial);
    const sealed = new Uint8Array([...cipher.update(this.value), ...cipher.final()]);
    return message("return", 4, "(oayays)", (to) => {
      to.string("/session/1").byteArray(initial).byteArray(sealed).string("text/plain");
    });
  }

  /** Answers a client as a bus with this service does. @param change is given each message on its way. */
  script(change: (message: Uint8Array, n: number) => Uint8Array = (bytes) => bytes): Script {
    return async (connection) => {
      const heard = new Heard(connection);
      const send = async (bytes: Uint8Array, n: number) => {
        await writeAll(connection, change(bytes, n));
      };
      await heard.until(KEY_BEGINS);
      await send(new Uint8Array([...ACCEPTED, ...this.hello()]), 0);
      await send(this.found(), 1);
      await send(this.session(), 2);
      const theirs = await heard.byteArrayAfter(KEY_BEGINS);
      await heard.until(new TextEncoder().encode("GetSecret"));
      await send(this.secret(theirs), 3);
      // Until it hangs up.
      await heard.until(new TextEncoder().encode("nothing says this"));
    };
  }
}

const MODP2 = "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74" +
  "020bbea63b139b22514a08798e3404ddef9519b3cd3a431b302b0a6df25f1437" +
  "4fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7ed" +
  "ee386bfb5a899fa5ae9f24117c4b1fe649286651ece65381ffffffffffffffff";

// The type of the variant with the client's key.
const KEY_BEGINS = Uint8Array.of(2, 0x61, 0x79, 0);

class Heard {
  #bytes = new Uint8Array();

  constructor(private readonly connection: Deno.Conn) {}

  async until(what: Uint8Array): Promise<number> {
    for (;;) {
      const at = indexOf(this.#bytes, what);
      if (at >= 0) return at;
      await this.#more();
    }
  }

  /** An array of less than 256 bytes. */
  async byteArrayAfter(what: Uint8Array): Promise<Uint8Array> {
    const start = await this.until(what) + what.length;
    const end = () => start + 4 + (this.#bytes[start] ?? 0);
    while (this.#bytes.length < start + 4 || this.#bytes.length < end()) await this.#more();
    return this.#bytes.slice(start + 4, end());
  }

  async #more(): Promise<void> {
    const part = new Uint8Array(4096);
    const count = await this.connection.read(part);
    if (count === null) throw new Error("It hung up");
    this.#bytes = new Uint8Array([...this.#bytes, ...part.subarray(0, count)]);
  }
}

function indexOf(bytes: Uint8Array, what: Uint8Array): number {
  return [...bytes.keys()].findIndex((at) => what.every((byte, i) => bytes[at + i] === byte));
}

/** Sends all of it. */
export async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
}
