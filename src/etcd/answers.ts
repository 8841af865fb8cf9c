import { namedCertificate, noEtcd, type Refusal } from "./errors.ts";

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
