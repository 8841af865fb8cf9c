import assert from "node:assert/strict";
import type { Buffer } from "node:buffer";
import type { PairAlgorithm } from "../../src/core/algorithms.ts";
import { Secret } from "../../src/core/secret.ts";
import { Confidential } from "../../src/deliver/confidential.ts";
import { deliveredKey } from "../../src/deliver/key_set.ts";
import { HANG_MS } from "../support/timing/pause.ts";

const PRIVATE = ["d", "p", "q", "dp", "dq", "qi"] as const;

for (const alg of ["ES256", "Ed25519", "RS256", "ES512"] as const) {
  Deno.test(`a message shares nothing with a private key for ${alg}, however it is written`, async () => {
    const { confidential, privateKey, publicKey } = await known(alg);
    const jwk = privateKey.export({ format: "jwk" });
    const der = privateKey.export({ type: "pkcs8", format: "der" }) as Buffer;
    const older = ({ EC: "sec1", RSA: "pkcs1" } as Record<string, "sec1" | "pkcs1">)[jwk.kty!];
    const kinds = older === undefined ? ["pkcs8" as const] : ["pkcs8" as const, older];
    const pems = kinds.flatMap((type) => privateLines(privateKey, type, jwk.d!));
    const written = [
      ...pems,
      ...PRIVATE.flatMap((name) => jwk[name] ?? []).flatMap((value) => spelled(value)),
      der.toString("base64"),
      JSON.stringify(jwk),
      `panic: bad key {${der.join(" ")}}`,
      `badarg <<${der.join(",")}>>`,
      `b'${der.toString("latin1")}'`,
    ];
    for (const text of written) {
      assert.equal(confidential.tellingLine(`refused: ${text}`), undefined, text.slice(0, 8));
    }
    const spki = publicKey.export({ type: "spki", format: "pem" }) as string;
    const [, line] = spki.split("\n");
    assert.equal(confidential.tellingLine(`cannot parse ${line}`), `cannot parse ${line}`);
  });
}

const RABBIT = `Error: unable to perform an operation on node 'a@b'. Please see below.

DIAGNOSTICS
===========

 * node name: 'rabbitmqcli-973-rabbit@vm'
 * effective user's home directory: /var/lib/rabbitmq
 * Erlang cookie hash: Gg11CQLrzGgy/ptgbGTM7g==
`;

Deno.test("a message has the line that says error, and no credential of the program's own", async () => {
  const { confidential } = await known("ES256");
  const told = (output: string) => confidential.tellingLine(output);
  assert.equal(
    told(RABBIT),
    "Error: unable to perform an operation on node 'a@b'. Please see below.",
  );
  const [, ...diagnostics] = RABBIT.split("\n");
  assert.equal(
    told(diagnostics.join("\n")),
    "* effective user's home directory: /var/lib/rabbitmq",
  );
  for (
    const line of [
      ...["db_password = hunter22", "root:$6$abc$defghi:1::", "Cookie hash is a1b2c3"],
      ...["password=hunter22", 'with "password": "hunter22"', "the passphrase =hunter22"],
    ]
  ) {
    assert.equal(told(line), undefined, line);
    assert.equal(told(`it failed\n${line}\n`), "it failed");
  }
  for (const line of ["wrong password for user a", "the password: must not be blank"]) {
    assert.equal(told(`${line}\n`), line);
  }
  assert.equal(told("\n \n"), undefined);
});

Deno.test("no output keeps a message waiting, however it repeats itself", async () => {
  const { confidential } = await known("ES256");
  const length = 2 ** 21;
  const begun = performance.now();
  for (const part of ["password=", "password: ", "cookie", "cookie!", "$6", '"']) {
    confidential.tellingLine(`${part.repeat(length / part.length)}x y`);
  }
  assert.ok(performance.now() - begun < HANG_MS);
});

async function known(alg: PairAlgorithm) {
  const secret = await Secret.generatePair(alg, 2048);
  const key_form = "pkcs8" as const;
  const row = { kid: secret.kid, token_kid: null, alg, key_form, grace_until: null };
  const confidential = new Confidential([deliveredKey(row, secret)]);
  const { privateKey, publicKey } = secret.pair!;
  return { confidential, privateKey, publicKey };
}

/** Lines of a PEM that hold a part of the private number. */
function privateLines(
  key: Awaited<ReturnType<typeof known>>["privateKey"],
  type: "pkcs8" | "sec1" | "pkcs1",
  d: string,
) {
  const pem = key.export({ type, format: "pem" } as { type: "pkcs8"; format: "pem" }) as string;
  const lines = pem.trim().split("\n").slice(1, -1);
  const number = Uint8Array.fromBase64(d, { alphabet: "base64url" }).toHex();
  // Twelve bytes of it at least: others hold the public half, or numbers that say what it is.
  return lines.filter((line) => {
    const bytes = Uint8Array.fromBase64(line.replace(/=+$/, "")).toHex();
    return Array.from({ length: bytes.length / 2 }, (_, n) => bytes.slice(n * 2, n * 2 + 24))
      .some((part) => part.length === 24 && number.includes(part));
  });
}

function spelled(value: string): string[] {
  const bytes = Uint8Array.fromBase64(value, { alphabet: "base64url" });
  const hex = bytes.toHex();
  const pairs = hex.match(/../g)!;
  return [
    value,
    hex,
    hex.toUpperCase(),
    pairs.join(":"),
    pairs.join(" ").toUpperCase(),
    [...bytes].join(", "),
  ];
}
