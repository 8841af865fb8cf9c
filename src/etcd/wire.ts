import { Buffer } from "node:buffer";
import { type ErrorCode, RekeyError } from "../core/errors.ts";

// The JSON of etcd's gRPC gateway: bytes are base64, and 64-bit numbers are strings.

/** A key with its value. */
export interface KeyValue {
  readonly key: string;
  readonly value: string;
  /** Revision of the last write (`mod_revision`). */
  readonly modified: number;
}

/** An operation of a transaction. */
export type Operation = Readonly<Record<string, unknown>>;

/** A condition of a transaction. */
export type Condition = Readonly<Record<string, unknown>>;

/** Which keys a range request reads. */
export interface KeyRange {
  /** All keys with this prefix, instead of one key. */
  readonly all?: boolean;
  /** At most so many keys that were written after a revision, in the order of writing. */
  readonly after?: { readonly revision: number; readonly most: number };
}

/** Reads one or more keys. */
export function read(key: string, which: KeyRange = {}): Operation {
  return { request_range: rangeOf(key, which) };
}

/** The body of a range request. */
export function rangeOf(key: string, { all = false, after }: KeyRange) {
  // The end of all keys with a prefix, which must be ASCII.
  const end = key.slice(0, -1) + String.fromCharCode(key.charCodeAt(key.length - 1) + 1);
  return {
    key: encoded(key),
    ...all ? { range_end: encoded(end) } : {},
    ...after === undefined ? {} : {
      min_mod_revision: String(after.revision + 1),
      limit: String(after.most),
      sort_target: "MOD",
      sort_order: "ASCEND",
    },
  };
}

/** Writes a key; etcd deletes it when the lease ends. */
export function put(key: string, value: string, lease?: string): Operation {
  const leased = lease === undefined ? {} : { lease };
  return { request_put: { key: encoded(key), value: encoded(value), ...leased } };
}

/** Deletes a key. */
export function remove(key: string): Operation {
  return { request_delete_range: { key: encoded(key) } };
}

/** Holds if the key was last written at this revision; 0: if it does not exist. */
export function unchangedSince(key: string, revision: number): Condition {
  const mod_revision = String(revision);
  return { key: encoded(key), target: "MOD", result: "EQUAL", mod_revision };
}

/** The rows of a range response. @throws {RekeyError} `etcd_unavailable` when it is not one. */
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

/** Base64 of a text, as the gateway expects bytes. */
function encoded(text: string): string {
  return Buffer.from(text).toString("base64");
}

function decoded(base64: string): string {
  return Buffer.from(base64, "base64").toString();
}

// deno-lint-ignore no-explicit-any
export type Answer = any;

/** The result of a call, or the error that etcd or a proxy answered. */
export type Reply = { readonly result: Answer } | { readonly refusal: Refusal };

/**
 * Parses the response of a member, or of a proxy in its place.
 *
 * @throws {RekeyError} `etcd_unavailable` when etcd would not answer so, `etcd_denied` when the gateway refuses the
 * certificate.
 */
export function replyOf(path: string, status: number, text: string): Reply {
  // The gateway's own error, which does not come from etcd.
  if (text.startsWith("CommonName of client")) throw namedCertificate();
  const answer = parsed(text);
  if (status === 200 && answer.error === undefined) {
    if (isSound(path, answer)) return { result: answer };
    throw noEtcd();
  }
  // Errors of streaming calls are one level deeper.
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

// gRPC has codes 1 to 16; a proxy may send others.
function statusCode(code: unknown): number {
  return Number.isInteger(code) && Number(code) >= 1 && Number(code) <= 16 ? Number(code) : NaN;
}

function isSound(path: string, answer: Answer): boolean {
  // `keepalive` is a stream.
  const { header } = path === "lease/keepalive" ? answer.result ?? {} : answer;
  if (typeof header?.cluster_id !== "string") return false;
  if (path === "lease/grant") return /^[1-9]\d*$/.test(answer.ID);
  return path !== "auth/authenticate" || typeof answer.token === "string";
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** No member of etcd answered. */
export function unavailable(why: string, cause?: unknown): RekeyError {
  return new RekeyError("etcd_unavailable", `Cannot use etcd: ${why}`, {
    hint:
      "Check that etcd runs and that this machine reaches most members: `rekey doctor` asks each",
    cause,
  });
}

/** A call ended without a response. */
export function unanswered(cause: unknown): RekeyError {
  const text = String(cause);
  if (cause instanceof DOMException) return unavailable("it does not answer", cause);
  if (text.includes("peer certificate")) {
    return unavailable("REKEY_ETCD_CA does not cover its certificate", cause);
  }
  // Which of these errors appears depends on timing.
  if (/connection closed|fatal alert|broken pipe|reset by peer/.test(text)) {
    return unavailable(
      "it closed the connection; it may need TLS, or another client certificate",
      cause,
    );
  }
  return unavailable("it cannot be reached", cause);
}

/** The gateway refuses client certificates with a CommonName, which etcd takes for a user name. */
function namedCertificate(): RekeyError {
  return new RekeyError(
    "etcd_denied",
    "Cannot use etcd: its gateway refuses client certificates with a CommonName",
    { hint: "Make one without (`-subj /O=rekey`), and name the user in REKEY_ETCD_USER" },
  );
}

/** The response does not come from etcd, or is damaged. */
export function noEtcd(cause?: unknown): RekeyError {
  return unavailable("the response is not etcd's", cause);
}

/** The error that a member, or a proxy in front of it, answered. */
export interface Refusal {
  /** HTTP status. */
  readonly status: number;
  /** gRPC code; `NaN` when missing. */
  readonly code: number;
  readonly message: string;
}

const [INVALID_ARGUMENT, PERMISSION_DENIED, FAILED_PRECONDITION, UNAUTHENTICATED] = [3, 7, 9, 16];
const RESOURCE_EXHAUSTED = 8;

// CANCELLED, UNKNOWN, DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE: etcd's internal failures, after which the call may still
// have taken effect. etcd refuses with other codes.
const UNSURE = [1, 2, 4, 13, 14];
const REQUEST_TIMEOUT = 408;

/** The error to throw for a refusal. */
export function errorOf(refusal: Refusal): RekeyError {
  const { status, code, message } = refusal;
  // A proxy that cannot reach etcd answers without a gRPC code.
  const isProxys = Number.isNaN(code) && (status >= 500 || status === REQUEST_TIMEOUT);
  // Another member may succeed.
  const isElsewhere = isProxys || UNSURE.includes(code) || /too many requests/.test(message);
  return isElsewhere ? unavailable(plain(message)) : refused(refusal);
}

/** Whether the login token has expired, or users or roles have changed. */
export function wantsLogin({ code, message }: Refusal): boolean {
  return code === UNAUTHENTICATED || /invalid auth token|revision of auth store/.test(message);
}

// Every member would refuse it.
function refused({ code, message }: Refusal): RekeyError {
  if (code === RESOURCE_EXHAUSTED) {
    return new RekeyError("etcd_failed", `Cannot write to etcd: ${plain(message)}`, {
      hint: "etcd is out of space: compact and defragment it, then run `etcdctl alarm disarm`",
    });
  }
  const denied = code === PERMISSION_DENIED || code === UNAUTHENTICATED ||
    (code === INVALID_ARGUMENT || code === FAILED_PRECONDITION) && /user|auth/.test(message);
  const name: ErrorCode = denied ? "etcd_denied" : "etcd_failed";
  return new RekeyError(name, `Cannot use etcd: ${plain(message)}`, {
    hint: denied
      ? "Check REKEY_ETCD_USER, its password file or the client certificate, and the role's permissions"
      : "See etcd's own log",
  });
}

// A proxy can answer with any text.
function plain(message: string): string {
  return /^[\w .,:;/()'"-]{1,200}$/.test(message) ? message : "it refused";
}
