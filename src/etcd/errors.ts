import { type ErrorCode, RekeyError } from "../core/errors.ts";

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

/** No flag or variable names etcd. */
export function unconfigured(): RekeyError {
  return new RekeyError("etcd_unconfigured", "Cannot use etcd: no endpoint is named", {
    hint: "Set REKEY_ETCD_ENDPOINTS, such as https://10.0.0.1:2379,https://10.0.0.2:2379",
  });
}

/** The gateway refuses client certificates with a CommonName, which etcd takes for a user name. */
export function namedCertificate(): RekeyError {
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
  return isElsewhere(refusal) ? unavailable(plain(refusal.message)) : refused(refusal);
}

/** Whether another member may succeed. */
function isElsewhere({ status, code, message }: Refusal): boolean {
  // A proxy that cannot reach etcd answers without a gRPC code.
  const isProxys = Number.isNaN(code) && (status >= 500 || status === REQUEST_TIMEOUT);
  return isProxys || UNSURE.includes(code) || /too many requests/.test(message);
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
