import type * as z from "zod";
import type { SchemaName, Schemas } from "./route.ts";
import { parseStrictJson, StrictJsonError } from "../core/strict_json.ts";
import { HttpRefusal } from "./problem.ts";
import { escapesUtf8, joinPieces, utf8 } from "../core/encoding.ts";

/** Longest body. A token has at most 16,384 characters. */
const MAX_BODY_BYTES = 65_536;

/** How long a client may take to send a body, in milliseconds. */
const BODY_TIMEOUT_MS = 10_000;

/**
 * Reads a JSON body. The media type is required: a browser sends it to another site only after a CORS preflight.
 *
 * @param empty value of an empty body; by default an empty body is refused.
 * @throws {HttpRefusal} with status 400, 408, 413 or 415.
 */
export async function readJson<N extends SchemaName>(
  request: Request,
  schema: N,
  empty?: z.input<Schemas[N]>,
): Promise<z.output<Schemas[N]>> {
  const typed = mediaType(request);
  const bytes = await readBytes(request);
  if (bytes.length === 0 && empty !== undefined) return await check(schema, empty);
  if (typed !== "application/json") throw wrongType("application/json");
  const value = parse(bytes);
  // The body may contain a password.
  bytes.fill(0);
  return await check(schema, value);
}

/** Reads a form body (RFC 7662 §2.1). A repeated parameter is refused (RFC 6749 §3.2). */
export async function readForm<N extends SchemaName>(
  request: Request,
  schema: N,
): Promise<z.output<Schemas[N]>> {
  const wanted = "application/x-www-form-urlencoded";
  if (mediaType(request) !== wanted) throw wrongType(wanted);
  const pairs = [...new URLSearchParams(formText(await readBytes(request)))];
  const form = new Map(pairs);
  if (form.size < pairs.length) throw bad("a parameter occurs twice");
  return await check(schema, Object.fromEntries(form));
}

// `URLSearchParams` would replace bytes that are not UTF-8, percent-encoded or not.
function formText(bytes: Uint8Array): string {
  try {
    const text = utf8(bytes);
    if (escapesUtf8(text)) return text;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
  throw bad("it is not UTF-8");
}

function mediaType(request: Request): string | undefined {
  if (request.headers.has("content-encoding")) {
    throw new HttpRefusal("unsupported_media_type", "Cannot use the body: it is encoded", {
      "accept-encoding": "identity",
    });
  }
  const [type] = request.headers.get("content-type")?.split(";") ?? [];
  return type?.trim().toLowerCase();
}

function parse(bytes: Uint8Array): unknown {
  try {
    return parseStrictJson(bytes);
  } catch (error) {
    if (error instanceof StrictJsonError) throw bad(error.message);
    throw error;
  }
}

async function check<N extends SchemaName>(
  name: N,
  value: unknown,
): Promise<z.output<Schemas[N]>> {
  const schema: z.ZodType = (await import("./schemas.ts"))[name];
  const { success, data, error } = schema.safeParse(value);
  if (success) return data as z.output<Schemas[N]>;
  throw bad(faultText(error.issues[0]!, value));
}

// The path and the kind of the fault, not the value, which may be a password or a token.
function faultText({ path, code }: z.core.$ZodIssue, value: unknown): string {
  if (code === "unrecognized_keys") return "it has a member that is not known here";
  const where = path.map(String).join(".") || "it";
  if (code !== "invalid_type") return `${where} does not match the schema (${code})`;
  return isMissing(path, value) ? `${where} is missing` : `${where} is of another type`;
}

function isMissing(path: readonly PropertyKey[], value: unknown): boolean {
  return path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown>)[key], value) ===
    undefined;
}

/**
 * Reads the rest of a body that no handler read. A client that gets a response while it is sending may report a failure,
 * in particular with HTTP/2.
 */
export async function discardBody(request: Request): Promise<void> {
  if (request.bodyUsed) return;
  try {
    await readBytes(request, DISCARD_TIMEOUT_MS);
  } catch (error) {
    if (!(error instanceof HttpRefusal)) throw error;
  }
}

const DISCARD_TIMEOUT_MS = 1_000;

async function readBytes(request: Request, timeout = BODY_TIMEOUT_MS): Promise<Uint8Array> {
  const declared = Number(request.headers.get("content-length") ?? 0);
  if (declared > MAX_BODY_BYTES) throw tooLarge();
  if (request.body === null) return new Uint8Array();
  const reader = request.body.getReader();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    reader.cancel().catch(() => {});
  }, timeout);
  try {
    const bytes = await collect(reader);
    if (!late) return bytes;
  } catch (error) {
    if (error instanceof HttpRefusal) throw error;
    if (!late) throw new HttpRefusal("bad_request", "Cannot read the body: it was cut off");
  } finally {
    clearTimeout(timer);
  }
  throw new HttpRefusal("request_timeout", "Cannot read the body: it took too long", {
    connection: "close",
  });
}

async function collect(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > MAX_BODY_BYTES) {
      reader.cancel().catch(() => {});
      throw tooLarge();
    }
    chunks.push(value);
  }
  return joinPieces(chunks);
}

function bad(why: string): HttpRefusal {
  return new HttpRefusal("bad_request", `Cannot use the body: ${why}`);
}

function tooLarge(): HttpRefusal {
  return new HttpRefusal(
    "content_too_large",
    `Cannot use the body: it is longer than ${MAX_BODY_BYTES} bytes`,
    { connection: "close" },
  );
}

function wrongType(wanted: string): HttpRefusal {
  return new HttpRefusal("unsupported_media_type", `Cannot use the body: it is not ${wanted}`);
}
