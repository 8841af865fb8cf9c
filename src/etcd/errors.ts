import { type ErrorCode, RekeyError } from "../core/errors.ts";

/** No member of etcd has answered. */
export function unavailable(why: string, cause?: unknown): RekeyError {
  return new RekeyError("etcd_unavailable", `Cannot use etcd: ${why}`, {
    hint:
      "Is it up, and can this machine reach most of its members? `rekey doctor` asks each of them",
    cause,
  });
}

/** A call has ended without an answer. */
export function unanswered(cause: unknown): RekeyError {
  const text = String(cause);
  if (cause instanceof DOMException) return unavailable("it does not answer", cause);
  if (text.includes("peer certificate")) {
    return unavailable("its certificate is none that REKEY_ETCD_CA vouches for", cause);
  }
  // Which of them it is depends on who is faster.
  if (/connection closed|fatal alert|broken pipe|reset by peer/.test(text)) {
    return unavailable(
      "it has closed the connection; it may want TLS, or another client certificate",
      cause,
    );
  }
  return unavailable("it cannot be reached", cause);
}

/** Nothing says where etcd is. */
export function unconfigured(): RekeyError {
  return new RekeyError("etcd_unconfigured", "Cannot use etcd: nothing says where it is", {
    hint: "Set REKEY_ETCD_ENDPOINTS, such as https://10.0.0.1:2379,https://10.0.0.2:2379",
  });
}

/** The gateway takes no client certificate that could be taken for a user's. */
export function namedCertificate(): RekeyError {
  return new RekeyError(
    "etcd_denied",
    "Cannot use etcd: the client certificate has a CommonName, and its gateway takes none that has",
    { hint: "Make one without (`-subj /O=rekey`); the user is the one of REKEY_ETCD_USER" },
  );
}

/** What answers is not etcd, or something is wrong with it. */
export function noEtcd(cause?: unknown): RekeyError {
  return unavailable("what answers is no etcd", cause);
}

/** What a member of etcd, or a proxy before it, answers instead of a result. */
export interface Refusal {
  /** Of HTTP. */
  readonly status: number;
  /** Of gRPC; `NaN` when it names none. */
  readonly code: number;
  readonly message: string;
}

const [INVALID_ARGUMENT, PERMISSION_DENIED, FAILED_PRECONDITION, UNAUTHENTICATED] = [3, 7, 9, 16];
const RESOURCE_EXHAUSTED = 8;

// CANCELLED, UNKNOWN, DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE: what was asked may have been carried out. etcd refuses
// by other codes: what it has none for itself are its own troubles.
const UNSURE = [1, 2, 4, 13, 14];
const REQUEST_TIMEOUT = 408;

/** The error for a refusal. */
export function errorOf(refusal: Refusal): RekeyError {
  return isElsewhere(refusal) ? unavailable(plain(refusal.message)) : refused(refusal);
}

/** Whether another member may be able to do it. */
function isElsewhere({ status, code, message }: Refusal): boolean {
  // A proxy has its own answer when it has lost etcd's.
  const isProxys = Number.isNaN(code) && (status >= 500 || status === REQUEST_TIMEOUT);
  return isProxys || UNSURE.includes(code) || /too many requests/.test(message);
}

/** Whether the token of a login is no longer taken, also since users or roles have changed. */
export function wantsLogin({ code, message }: Refusal): boolean {
  return code === UNAUTHENTICATED || /invalid auth token|revision of auth store/.test(message);
}

// No other member would take it back.
function refused({ code, message }: Refusal): RekeyError {
  if (code === RESOURCE_EXHAUSTED) {
    return new RekeyError("etcd_failed", `Cannot write to etcd: ${plain(message)}`, {
      hint: "Its space is used up: compact and defragment it, then `etcdctl alarm disarm`",
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

// A proxy in between can answer with anything.
function plain(message: string): string {
  return /^[\w .,:;/()'"-]{1,200}$/.test(message) ? message : "it refused";
}
