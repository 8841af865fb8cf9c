import assert from "node:assert/strict";
import { unanswered } from "../../src/etcd/wire.ts";

// As the runtime says it.
const CONNECT = "error sending request for url (https://10.0.0.1:2379/v3/kv/range): client error";

Deno.test("a call without an answer is reported as what it was", () => {
  const closed = /closed the connection.*TLS.*client certificate/;
  const said: [string, RegExp][] = [
    [`${CONNECT} (Connect): invalid peer certificate: UnknownIssuer`, /REKEY_ETCD_CA/],
    [`${CONNECT} (Canceled): operation was canceled: connection closed`, closed],
    [`${CONNECT} (SendRequest): connection error: received fatal alert: BadCertificate`, closed],
    [`${CONNECT} (SendRequest): connection error: stream closed because of a broken pipe`, closed],
    [`${CONNECT} (Connect): tcp connect error: Connection refused (os error 111)`, /be reached/],
  ];
  for (const [text, expected] of said) {
    const { code, message } = unanswered(new TypeError(text));
    assert.equal(code, "etcd_unavailable");
    assert.match(message, expected);
  }
  assert.match(unanswered(new DOMException("", "TimeoutError")).message, /does not answer/);
});
