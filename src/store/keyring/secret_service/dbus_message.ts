import { BusError, Reader, Writer } from "./dbus_wire.ts";

/** A method call. It does not start a service. */
export interface MethodCall {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  /** D-Bus signature of the arguments. */
  readonly signature?: string;
  /** Writes the arguments. */
  readonly body?: (to: Writer) => void;
}

/** A received message. Only answers and signals are used. */
export interface Message {
  readonly kind: "return" | "error" | "signal" | "other";
  /** Object path and name of a signal. */
  readonly path: string | undefined;
  readonly member: string | undefined;
  /** Serial number of the call that it answers. */
  readonly answers: number | undefined;
  readonly signature: string;
  readonly body: Uint8Array;
}

const LITTLE_ENDIAN = 0x6c;
const VERSION = 1;
const METHOD_CALL = 1;
const KINDS = new Map([[2, "return"], [3, "error"], [4, "signal"]] as const);
const NO_AUTO_START = 2;
const FIELDS = { path: 1, interface: 2, member: 3, replySerial: 5, destination: 6, signature: 8 };

/** The first bytes of a message, which tell its length. */
export const HEAD_BYTES = 16;

/** Encodes a call. */
export function encodeCall(serial: number, call: MethodCall): Uint8Array<ArrayBuffer> {
  const body = new Writer();
  call.body?.(body);
  const fields = [
    textField(FIELDS.path, "o", call.path),
    textField(FIELDS.interface, "s", call.interface),
    textField(FIELDS.member, "s", call.member),
    textField(FIELDS.destination, "s", call.destination),
  ];
  const { signature } = call;
  if (signature !== undefined) {
    fields.push((to) => to.byte(FIELDS.signature).signature("g").signature(signature));
  }
  return new Writer().byte(LITTLE_ENDIAN, METHOD_CALL, NO_AUTO_START, VERSION)
    .uint32(body.length).uint32(serial).structs(fields).align(8).byte(...body.bytes()).bytes();
}

function textField(code: number, type: "o" | "s", text: string) {
  return (to: Writer) => to.byte(code).signature(type).string(text);
}

/**
 * Length of a message in bytes, from its first {@linkcode HEAD_BYTES}.
 *
 * @throws {BusError} when they are not those of a little-endian message.
 */
export function messageLength(head: Uint8Array): number {
  const reader = new Reader(head);
  const [order, , , version] = reader.take(4);
  if (order !== LITTLE_ENDIAN || version !== VERSION) {
    throw new BusError("This is not a D-Bus message");
  }
  const body = reader.uint32();
  reader.uint32();
  const fields = reader.uint32();
  return HEAD_BYTES + Math.ceil(fields / 8) * 8 + body;
}

/** Decodes a message. @throws {BusError} when it is not valid. */
export function decodeMessage(bytes: Uint8Array): Message {
  if (messageLength(bytes) !== bytes.length) throw new BusError("A message has another length");
  const reader = new Reader(bytes);
  const type = reader.take(4)[1];
  const bodyLength = reader.uint32();
  if (reader.uint32() === 0) throw new BusError("A message has no serial number");
  const { answers, signature, path, member } = readFields(reader);
  reader.align(8);
  const body = reader.take(bodyLength);
  const kind = KINDS.get(type as 2 | 3 | 4) ?? "other";
  const isAnswer = kind === "return" || kind === "error";
  if (isAnswer && answers === undefined) throw new BusError("An answer names no call");
  return { kind, answers, path, member, signature: signature ?? "", body };
}

interface Fields {
  answers?: number;
  signature?: string;
  path?: string;
  member?: string;
}

function readFields(reader: Reader): Fields {
  const found: Fields = {};
  const end = reader.uint32() + reader.position;
  while (reader.position < end) {
    reader.align(8);
    const code = reader.byte();
    const type = reader.signature();
    const value = fieldValue(reader, type);
    if (code === FIELDS.replySerial && typeof value === "number") found.answers = value;
    if (code === FIELDS.signature && type === "g") found.signature = String(value);
    if (code === FIELDS.path && type === "o") found.path = String(value);
    if (code === FIELDS.member && type === "s") found.member = String(value);
  }
  if (reader.position !== end) throw new BusError("The fields of a message have another length");
  return found;
}

// Unknown fields must be skipped; each field of the specification has one of these types.
function fieldValue(reader: Reader, type: string): string | number {
  switch (type) {
    case "s":
      return reader.string();
    case "o":
      return reader.objectPath();
    case "g":
      return reader.signature();
    case "u":
      return reader.uint32();
    default:
      throw new BusError("A message has a field of an unknown type");
  }
}
