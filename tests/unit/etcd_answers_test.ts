import assert from "node:assert/strict";
import { type ErrorCode, isRekeyError } from "../../src/core/errors.ts";
import { errorOf, replyOf } from "../../src/etcd/wire.ts";

/** What is said of an answer that is no result. */
function said(path: string, status: number, answer: unknown): { code: ErrorCode; message: string } {
  try {
    const reply = replyOf(path, status, JSON.stringify(answer));
    assert.ok("refusal" in reply, JSON.stringify(reply));
    return errorOf(reply.refusal);
  } catch (error) {
    if (isRekeyError(error)) return error;
    throw error;
  }
}

// As etcd's gateway and proxies give them.
const ANSWERS: readonly [string, number, unknown, ErrorCode][] = [
  ["kv/txn", 429, { error: "etcdserver: mvcc: database space exceeded", code: 8 }, "etcd_failed"],
  ["kv/txn", 429, { error: "etcdserver: too many requests", code: 8 }, "etcd_unavailable"],
  ["kv/txn", 500, { error: "etcdserver: corrupt cluster", code: 15 }, "etcd_failed"],
  ["kv/txn", 404, { error: "etcdserver: requested lease not found", code: 5 }, "etcd_failed"],
  ["kv/txn", 400, { error: "etcdserver: duplicate key given in txn", code: 3 }, "etcd_failed"],
  ["kv/txn", 403, { error: "etcdserver: permission denied", code: 7 }, "etcd_denied"],
  ["kv/txn", 400, { error: "etcdserver: user name is empty", code: 3 }, "etcd_denied"],
  ["kv/txn", 401, { error: "etcdserver: invalid auth token", code: 16 }, "etcd_denied"],
  ["kv/txn", 400, { error: "etcdserver: revision of auth store is old", code: 3 }, "etcd_denied"],
  ["kv/txn", 503, { error: "etcdserver: leader changed", code: 14 }, "etcd_unavailable"],
  ["kv/txn", 504, { error: "context deadline exceeded", code: 4 }, "etcd_unavailable"],
  ["kv/txn", 408, { error: "context canceled", code: 1 }, "etcd_unavailable"],
  ["kv/txn", 500, { error: "raft proposal dropped", code: 2 }, "etcd_unavailable"],
  ["kv/txn", 500, { error: "stream terminated", code: 13 }, "etcd_unavailable"],
  ["kv/txn", 504, { message: "upstream is timing out" }, "etcd_unavailable"],
  ["kv/txn", 502, { code: 502, message: "bad gateway" }, "etcd_unavailable"],
  ["kv/txn", 403, { message: "not from here" }, "etcd_failed"],
  ["lease/keepalive", 503, { error: { grpc_code: 14, message: "no leader" } }, "etcd_unavailable"],
  ["lease/keepalive", 200, { error: { grpc_code: 14, message: "no leader" } }, "etcd_unavailable"],
  ["lease/keepalive", 401, { error: { grpc_code: 16, message: "invalid" } }, "etcd_denied"],
  // A header of another call.
  ["kv/txn", 200, { result: { header: { cluster_id: "1" } } }, "etcd_unavailable"],
  ["lease/keepalive", 200, { header: { cluster_id: "1" } }, "etcd_unavailable"],
  ["lease/grant", 200, { header: { cluster_id: "1" } }, "etcd_unavailable"],
  ["lease/grant", 200, { header: { cluster_id: "1" }, ID: "0" }, "etcd_unavailable"],
  ["auth/authenticate", 200, { header: { cluster_id: "1" } }, "etcd_unavailable"],
];

Deno.test("etcd's refusals, its outages and servers that are not etcd are told apart", () => {
  for (const [path, status, answer, code] of ANSWERS) {
    assert.equal(said(path, status, answer).code, code, `${path} ${JSON.stringify(answer)}`);
  }
});

Deno.test("what a proxy says is not passed on to a terminal", () => {
  for (const status of [403, 502]) {
    const { message } = said("kv/txn", status, { message: "\u001b[2J" });
    assert.match(message, /it refused$/);
  }
});
