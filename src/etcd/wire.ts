import { Buffer } from "node:buffer";
import { namedCertificate, noEtcd, type Refusal } from "./errors.ts";

// The JSON of etcd's gRPC gateway: bytes are base64, and numbers of 64 bits are texts.

/** A key with its value. */
export interface KeyValue {
  readonly key: string;
  readonly value: string;
  /** Revision of the store at which it was written last. */
  readonly modified: number;
}

/** A part of a transaction. */
export type Operation = Readonly<Record<string, unknown>>;

/** A condition of a transaction. */
export type Condition = Readonly<Record<string, unknown>>;

/** Which keys are read. */
export interface KeyRange {
  /** All that begin with the one that is named, and not that one alone. */
  readonly all?: boolean;
  /** The first so many that were written after a revision, in the order in which they were. */
  readonly after?: { readonly revision: number; readonly most: number };
}

/** Reads a key, or several. */
export function read(key: string, which: KeyRange = {}): Operation {
  return { request_range: rangeOf(key, which) };
}

/** The body of a range request. */
export function rangeOf(key: string, { all = false, after }: KeyRange) {
  return {
    key: encoded(key),
    ...all ? { range_end: encoded(endOf(key)) } : {},
    ...after === undefined ? {} : {
      min_mod_revision: String(after.revision + 1),
      limit: String(after.most),
      sort_target: "MOD",
      sort_order: "ASCEND",
    },
  };
}

/** Writes a key; with a lease it goes when the lease ends. */
export function put(key: string, value: string, lease?: string): Operation {
  const leased = lease === undefined ? {} : { lease };
  return { request_put: { key: encoded(key), value: encoded(value), ...leased } };
}

/** Deletes a key. */
export function remove(key: string): Operation {
  return { request_delete_range: { key: encoded(key) } };
}

/** The key was written last at this revision; 0: it is not there. */
export function unchangedSince(key: string, revision: number): Condition {
  const target = { target: "MOD", result: "EQUAL", mod_revision: String(revision) };
  return { key: encoded(key), ...target };
}

/** The key after all that begin with one: for keys in ASCII. */
function endOf(key: string): string {
  return key.slice(0, -1) + String.fromCharCode(key.charCodeAt(key.length - 1) + 1);
}

/** What a range has found. @throws {RekeyError} `etcd_unavailable` when that is no answer to it. */
// deno-lint-ignore no-explicit-any
export function keyValues(answer: any): KeyValue[] {
  const rows = answer?.kvs ?? [];
  if (!Array.isArray(rows) || !rows.every(isRow)) throw noEtcd();
  return rows.map((row: { key: string; value?: string; mod_revision: string }) => ({
    key: decoded(row.key),
    value: decoded(row.value ?? ""),
    modified: Number(row.mod_revision),
  }));
}

// A proxy in between can answer with anything.
// deno-lint-ignore no-explicit-any
function isRow(row: any): boolean {
  return typeof row?.key === "string" && ["string", "undefined"].includes(typeof row.value) &&
    /^\d+$/.test(row.mod_revision);
}

/** Text as the gateway wants bytes. */
function encoded(text: string): string {
  return Buffer.from(text).toString("base64");
}

function decoded(base64: string): string {
  return Buffer.from(base64, "base64").toString();
}

// deno-lint-ignore no-explicit-any
export type Answer = any;

/** What came back from a call. */
export type Reply = { readonly result: Answer } | { readonly refusal: Refusal };

/**
 * Reads what has come back from a member, or from something else in its place.
 *
 * @throws {RekeyError} `etcd_unavailable` when it is no answer of etcd's to that call, `etcd_denied` when the gateway
 * refuses the certificate.
 */
export function replyOf(path: string, status: number, text: string): Reply {
  // The gateway's own words, before anything is asked of etcd.
  if (text.startsWith("CommonName of client")) throw namedCertificate();
  const answer = parsed(text);
  if (status === 200 && answer.error === undefined) {
    if (isSound(path, answer)) return { result: answer };
    throw noEtcd();
  }
  // A call that is a stream has its error further in.
  const { grpc_code, code = grpc_code, message } = isObject(answer.error) ? answer.error : answer;
  const words = message ?? answer.error ?? "it refused";
  return { refusal: { status, code: statusCode(code), message: String(words) } };
}

function parsed(text: string): Answer {
  try {
    const answer = JSON.parse(text);
    if (isObject(answer)) return answer;
  } catch (error) {
    throw noEtcd(error);
  }
  throw noEtcd();
}

// Those of gRPC are 1 to 16; a proxy may have numbers of its own.
function statusCode(code: unknown): number {
  return Number.isInteger(code) && Number(code) >= 1 && Number(code) <= 16 ? Number(code) : NaN;
}

function isSound(path: string, answer: Answer): boolean {
  // A kept lease's answer is one of a stream.
  const { header } = path === "lease/keepalive" ? answer.result ?? {} : answer;
  if (typeof header?.cluster_id !== "string") return false;
  if (path === "lease/grant") return /^[1-9]\d*$/.test(answer.ID);
  return path !== "auth/authenticate" || typeof answer.token === "string";
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
