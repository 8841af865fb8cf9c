import { Buffer } from "node:buffer";
import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { PAIR_SCHEMES, type PairAlgorithm } from "../../../src/core/algorithms.ts";
import { keyMembers, REFUSED_MEMBERS } from "./jwt_attacks/header_members.ts";
import { type Attack, b64, claims, type Row } from "./jwt_attacks/row.ts";
import { algorithmsOf, pairSigner, wrongSignatures } from "./pair_signatures.ts";

/** The key pair under attack, and the algorithm of its version. */
export interface PairTarget {
  readonly alg: PairAlgorithm;
  readonly kid: string;
  readonly privateKey: KeyObject;
}

/** A token by HMAC with any key. */
export function hmacToken(alg: string, key: string | Uint8Array, kid?: string): string {
  const header = kid === undefined ? { alg } : { alg, kid };
  const text = `${b64(JSON.stringify(header))}.${b64(claims())}`;
  const hash = `sha${alg.slice(2)}`;
  return `${text}.${createHmac(hash, key).update(text).digest("base64url")}`;
}

/** Each form in which verifiers keep a public key: RFC 8725 §2.1 has it used as an HMAC key. */
export function publicForms(publicKey: KeyObject): Map<string, string | Uint8Array> {
  const pem = publicKey.export({ type: "spki", format: "pem" }) as string;
  const jwk = publicKey.export({ format: "jwk" });
  const forms = new Map<string, string | Uint8Array>([
    ["PEM", pem],
    ["PEM without its last line break", pem.trimEnd()],
    ["PEM on one line", pem.split("\n").slice(1, -2).join("")],
    ["DER", publicKey.export({ type: "spki", format: "der" }) as Buffer],
    ["JWK", JSON.stringify(jwk)],
    ["JWK Set", JSON.stringify({ keys: [jwk] })],
    ["x or n", Buffer.from((jwk.x ?? jwk.n)!, "base64url")],
    ["x or n, encoded", (jwk.x ?? jwk.n)!],
    ["nothing", ""],
  ]);
  if (jwk.n === undefined) return forms;
  return forms.set("PKCS#1", publicKey.export({ type: "pkcs1", format: "pem" }) as string);
}

/** Every attack on a version that is a key pair; what is signed is signed with its private key unless said otherwise. */
export function attacksOnPair(target: PairTarget): Attack[] {
  const rows = [accepted, confusions, otherAlgorithms, headers, kids, parts, wrong];
  return rows.flatMap((group) => group(target)).map(([name, code, token]) => ({
    name: `${target.alg}: ${name}`,
    code,
    token,
    policy: {},
  }));
}

function accepted({ alg, kid, privateKey }: PairTarget): Row[] {
  const sign = pairSigner(alg, privateKey);
  const isEd = alg === "Ed25519" || alg === "EdDSA";
  return [
    ["with kid", "valid", sign({ alg, kid })],
    ["without kid", "valid", sign({ alg })],
    ["typ and unknown members", "valid", sign({ alg, kid, typ: "JWT", x5t: "AAAA", nonce: "1" })],
    // RFC 9864 §2.2: two names of one algorithm.
    ...isEd
      ? ["EdDSA", "Ed25519"].map((name): Row => [name, "valid", sign({ alg: name, kid })])
      : [],
  ];
}

function confusions({ kid, privateKey }: PairTarget): Row[] {
  const publicKey = createPublicKey(privateKey as never);
  return [...publicForms(publicKey)].flatMap(([form, key]) =>
    ["HS256", "HS384", "HS512"].flatMap((alg): Row[] => [
      [`${form} as the key of ${alg}`, "alg_not_allowed", hmacToken(alg, key, kid)],
      [`${form} as the key of ${alg}, without kid`, "alg_not_allowed", hmacToken(alg, key)],
    ])
  );
}

function otherAlgorithms({ alg, kid, privateKey }: PairTarget): Row[] {
  const sign = pairSigner(alg, privateKey);
  const unsigned = (header: object) => `${b64(JSON.stringify(header))}.${b64(claims())}.`;
  const strange = [
    "none",
    "None",
    "NONE",
    "nOnE",
    "",
    alg.toLowerCase(),
    `${alg} `,
    "ES256K",
    "dir",
  ];
  // Signed as their names say, with this very key: RS256 for PS256, Ed25519 for none but itself.
  const own = algorithmsOf(privateKey).filter((name) =>
    name !== alg && PAIR_SCHEMES[name].hash !== null
  );
  const foreign = (["ES256", "ES384", "ES512", "Ed25519", "RS256", "PS256"] as const).filter((
    name,
  ) => !algorithmsOf(privateKey).includes(name));
  return [
    ...strange.filter((name) => name !== alg).flatMap((name): Row[] => [
      [`alg ${name}, no signature`, "alg_not_allowed", unsigned({ alg: name, kid })],
      [`alg ${name}, no signature, no kid`, "alg_not_allowed", unsigned({ alg: name })],
      [`alg ${name}, signed`, "alg_not_allowed", sign({ alg: name, kid })],
    ]),
    ...own.flatMap((name): Row[] => [
      [
        `${name} of the same key`,
        "alg_not_allowed",
        pairSigner(name, privateKey)({ alg: name, kid }),
      ],
      [
        `${name} of the same key, no kid`,
        "alg_not_allowed",
        pairSigner(name, privateKey)({ alg: name }),
      ],
      [`${name} under its name`, "bad_signature", pairSigner(name, privateKey)({ alg, kid })],
    ]),
    ...foreign.map((
      name,
    ): Row => [`${name} in the header`, "alg_not_allowed", sign({ alg: name, kid })]),
  ];
}

function headers({ alg, kid, privateKey }: PairTarget): Row[] {
  const attacker = another(privateKey);
  const [ours, theirs] = [pairSigner(alg, privateKey), pairSigner(alg, attacker)];
  const jwk = createPublicKey(attacker as never).export({ format: "jwk" });
  const withMember = (member: string) => ({ alg, kid, ...JSON.parse(`{${member}}`) });
  return [
    ...keyMembers(jwk).flatMap((member): Row[] => [
      [`${member}, signed with ours`, "malformed", ours(withMember(member))],
      [`${member}, signed with its key`, "malformed", theirs(withMember(member))],
    ]),
    ...REFUSED_MEMBERS.map((member): Row => [
      `header ${member}`,
      "malformed",
      ours(withMember(member)),
    ]),
  ];
}

function kids({ alg, kid, privateKey }: PairTarget): Row[] {
  const ours = pairSigner(alg, privateKey);
  const theirs = pairSigner(alg, another(privateKey));
  return [
    ["another key, our kid", "bad_signature", theirs({ alg, kid })],
    ["another key, no kid", "bad_signature", theirs({ alg })],
    ...["", kid.slice(0, -1), `${kid}A`, `${kid}=`, "../../dev/null"].map((name): Row => [
      `kid ${name.slice(0, 20)}`,
      "unknown_kid",
      ours({ alg, kid: name }),
    ]),
  ];
}

function parts({ alg, kid, privateKey }: PairTarget): Row[] {
  const sign = pairSigner(alg, privateKey);
  const [h, p, s] = sign({ alg, kid }).split(".") as [string, string, string];
  const other = b64(claims(',"admin":true'));
  return [
    ["another payload", "bad_signature", `${h}.${other}.${s}`],
    ["another header", "bad_signature", `${b64(`{"alg":"${alg}" ,"kid":"${kid}"}`)}.${p}.${s}`],
    ["expired", "expired", sign({ alg, kid }, '{"sub":"a","exp":1}')],
    ["two parts", "malformed", `${h}.${p}`],
    ["four parts", "malformed", `${h}.${p}.${s}.${s}`],
    ["no payload", "malformed", `${h}..${s}`],
    ["padding", "malformed", `${h}.${p}.${s}=`],
    ["a space", "malformed", `${h}.${p}.${s.slice(0, 9)} ${s.slice(9)}`],
    ["JSON serialization", "malformed", JSON.stringify({ protected: h, payload: p, signature: s })],
  ];
}

function wrong({ alg, kid, privateKey }: PairTarget): Row[] {
  return wrongSignatures(alg, privateKey, { alg, kid }).map(([name, token]): Row => [
    `signature: ${name}`,
    "bad_signature",
    token,
  ]);
}

// An RSA key takes a quarter of a second to make: an attacker has one of each kind.
const attackers = new Map<string, KeyObject>();

/** Another key of the same kind. */
function another(privateKey: KeyObject): KeyObject {
  const { crv = "RSA" } = privateKey.export({ format: "jwk" });
  const known = attackers.get(crv) ?? newKey(crv);
  attackers.set(crv, known);
  return known;
}

function newKey(kind: string): KeyObject {
  if (kind === "RSA") return generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
  if (kind === "Ed25519") return generateKeyPairSync("ed25519").privateKey;
  return generateKeyPairSync("ec", { namedCurve: kind }).privateKey;
}
