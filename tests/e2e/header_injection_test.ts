import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { Box } from "../support/process/box.ts";
import { claims, now, signer } from "../support/attacks/jwt_attacks/row.ts";
import { adapted, documented, Proxy, Upstream } from "../support/proxy/proxies.ts";
import { converse } from "../support/http/raw_http.ts";
import { openSealed } from "../support/store/sealed.ts";
import { Serving } from "../support/http/serving.ts";

// Another program that knows the secret may put into a token what its users have typed.
const INJECTED = "X-Auth-Subject: root";
const TEXTS = [
  ...[
    `a\r\n${INJECTED}`,
    `a\n${INJECTED}`,
    `a\r${INJECTED}`,
    `\r\n\r\nHTTP/1.1 200 OK\r\n${INJECTED}`,
  ],
  ...[`\r\n ${INJECTED}`, `a%0d%0a${INJECTED}`, `\u560d\u560a${INJECTED}`, `\u2028${INJECTED}`],
  ...[
    `\x85${INJECTED}`,
    `\x0b\x0c${INJECTED}`,
    `", error="x`,
    'a\\"',
    "a, root",
    "a;b",
    "\t",
    " ",
    "",
  ],
  ...[
    "é",
    "漢字",
    "\u{1f511}",
    "\u202e",
    "\ufeff",
    "\x7f",
    "\x1b[31m",
    "\ufffd",
    "\uffff",
    "e\u0301",
  ],
  ...[
    "x".repeat(2_000),
    "é".repeat(1_000),
    "%",
    "%%41",
    "${jndi:ldap://x}",
    "'; DROP TABLE",
    "__proto__",
  ],
];

/** The header lines of an answer that come from a token, as they are on the line. */
function told(answer: string): string[] {
  const head = answer.slice(0, answer.indexOf("\r\n\r\n"));
  assert.match(head, /^[\x20-\x7e\r\n]*$/);
  assert.doesNotMatch(head.replaceAll("\r\n", ""), /[\r\n]/);
  return head.split("\r\n").filter((line) => /^(x-auth|www-auth|.*root)/i.test(line));
}

async function withSigner(box: Box) {
  await box.run(["init", "--store", "database"]);
  return signer((await openSealed(box)).value);
}

Deno.test("what a token says never becomes a header, a line of the log or a 500", async () => {
  using box = new Box();
  const sign = await withSigner(box);
  await using serving = await Serving.start(box);
  const port = Number(new URL(serving.url).port);
  const ask = (token: string, path = "/auth") =>
    converse(port, [
      `GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n\r\n`,
    ]);
  for (const text of TEXTS) {
    const body = { sub: text, [text]: { [text]: [text] }, exp: now + 600 };
    const token = sign('{"alg":"HS512"}', JSON.stringify(body));
    for (const [path, status] of [["/auth", 204], ["/auth/orders", 200]] as const) {
      const answer = await ask(token, path);
      assert.equal(Number(answer.slice(9, 12)), status, text.slice(0, 99));
      const [claimsLine, subjectLine, ...more] = told(answer).sort();
      assert.deepEqual(more, []);
      assert.equal(decodeURIComponent(subjectLine!.replace(/^x-auth-subject: ?/, "")), text);
      const said = Buffer.from(claimsLine!.split(": ")[1]!, "base64url").toString();
      assert.deepEqual(JSON.parse(said), JSON.parse(JSON.stringify(body)));
    }
    const bad = [
      sign(JSON.stringify({ alg: text }), claims()),
      sign(JSON.stringify({ alg: "HS512", kid: text }), claims()),
      sign('{"alg":"HS512"}', JSON.stringify({ ...body, exp: 1 })),
      sign('{"alg":"HS512"}', JSON.stringify({ ...body, iss: [text] })),
    ];
    for (const token of bad) {
      const lines = told(await ask(token));
      assert.equal(lines.length, 1);
      assert.match(lines[0]!, /^www-authenticate: Bearer realm="rekey", error="invalid_token", /);
    }
  }
  assert.equal((await serving.stop()).code, 0);
  const lines = serving.stdout.trim().split("\n").map((line) => JSON.parse(line));
  assert.equal(lines.length, TEXTS.length * 6);
  const fields = ["time", "remote", "method", "route", "status", "ms", "code"];
  for (const line of lines) {
    assert.deepEqual(Object.keys(line).filter((name) => !fields.includes(name)), []);
    assert.ok(line.status < 500);
  }
  assert.doesNotMatch(serving.stdout, /root|jndi|DROP/);
});

Deno.test("what a token says does not become a header behind nginx", async () => {
  using box = new Box();
  const sign = await withSigner(box);
  await using serving = await Serving.start(box);
  await using upstream = new Upstream();
  await using proxy = await Proxy.nginx(box, (port) =>
    adapted(documented("nginx")[0]!, {
      "listen 80;": `listen 127.0.0.1:${port};`,
      "server 127.0.0.1:8700;": `server ${new URL(serving.url).host};`,
      "server 127.0.0.1:3000;": `server ${upstream.address};`,
    }));
  const ordinary = ["accept", "authorization", "connection", "host", "x-auth-claims"];
  for (const sub of TEXTS) {
    const token = sign('{"alg":"HS512"}', JSON.stringify({ sub, exp: now + 600 }));
    const { status } = await proxy.ask("/", { headers: [["Authorization", `Bearer ${token}`]] });
    assert.equal(status, 200, sub);
    const { headers } = upstream.reached.pop()!;
    assert.equal(decodeURIComponent(headers["x-auth-subject"] ?? ""), sub);
    const more = Object.keys(headers).filter((name) => !ordinary.includes(name)).sort();
    assert.deepEqual(more, sub === "" ? [] : ["x-auth-subject"]);
  }
});
