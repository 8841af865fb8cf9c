import { Buffer } from "node:buffer";
import { keyMembers, REFUSED_MEMBERS } from "./header_members.ts";
import { b64, claims, HEADER, type Row, type Sign, type Target } from "./row.ts";

const withMember = (member: string) => `{"alg":"HS512",${member}}`;
const PEM =
  "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n";

// RFC 8725 §2.1 and §3.1: the token does not choose.
export function algorithms(sign: Sign, { value }: Target): Row[] {
  const strange = [
    "none",
    "None",
    "NONE",
    "nOnE",
    "",
    "hs512",
    "HS512 ",
    "HS-512",
    "RS256",
    "PS512",
  ];
  const others = ["ES256", "ES512", "EdDSA", "dir", "A256GCMKW", "PBES2-HS512+A256KW", "HS512/64"];
  const named = (alg: string) => `{"alg":"${alg}"}`;
  const parts = (alg: string) => `${b64(named(alg))}.${b64(claims())}`;
  const wrongTypes = ['["HS512"]', "512", "null", "true", "{}", '{"alg":"HS512"}'];
  return [
    ...[...strange, ...others].flatMap((alg): Row[] => [
      [`alg ${alg}, signed all the same`, "alg_not_allowed", sign(named(alg), claims())],
      [`alg ${alg}, no signature`, "alg_not_allowed", `${parts(alg)}.`],
    ]),
    ["alg none, two parts", "malformed", parts("none")],
    [
      "an HS256 token, of the right key",
      "alg_not_allowed",
      sign(named("HS256"), claims(), value, "sha256"),
    ],
    [
      "an HS384 token, of the right key",
      "alg_not_allowed",
      sign(named("HS384"), claims(), value, "sha384"),
    ],
    [
      "a public key as the secret, RS256",
      "alg_not_allowed",
      sign(named("RS256"), claims(), PEM, "sha256"),
    ],
    ["a public key as the secret, HS512", "bad_signature", sign(HEADER, claims(), PEM)],
    ["no key at all", "bad_signature", sign(HEADER, claims(), "")],
    ["the other key form", "bad_signature", sign(HEADER, claims(), Buffer.from(value, "base64"))],
    ["SHA-256 under HS512's name", "bad_signature", sign(HEADER, claims(), value, "sha256")],
    ["no alg", "malformed", sign("{}", claims())],
    ["alg of the prototype", "malformed", sign('{"__proto__":{"alg":"HS512"}}', claims())],
    ...wrongTypes.map((
      alg,
    ): Row => [`alg is ${alg}`, "malformed", sign(`{"alg":${alg}}`, claims())]),
    ["alg twice, none first", "malformed", sign('{"alg":"none","alg":"HS512"}', claims())],
    ["alg twice, none last", "malformed", sign('{"alg":"HS512","alg":"none"}', claims())],
    ["alg twice, once escaped", "malformed", sign('{"\\u0061lg":"none","alg":"HS512"}', claims())],
    ["alg in capitals beside alg", "valid", sign(withMember('"ALG":"none"'), claims())],
  ];
}

// RFC 8725 §3.10 and §2.8: no key, and no place of one, is taken from a token.
export function keysInTokens(sign: Sign): Row[] {
  const own = "attacker's own key, long enough for HS512: 0123456789012345678901234567890123456789";
  return keyMembers({ kty: "oct", k: b64(own) }).flatMap((member): Row[] => [
    [`${member}, signed with its key`, "malformed", sign(withMember(member), claims(), own)],
    [`${member}, signed with ours`, "malformed", sign(withMember(member), claims())],
  ]);
}

export function kids(sign: Sign, { kid, oldKid, oldValue }: Target): Row[] {
  const strange = [
    ...["", " ", "../../../../dev/null", "/dev/null", "/proc/sys/kernel/randomize_va_space"],
    ...["' OR '1'='1", "x' UNION SELECT 'AAAA' --", "1; DROP TABLE settings", "%", "_", "1"],
    ...["key.pem | whoami", "$(id)", "https://attacker.example/k", "__proto__", "constructor"],
    ...[
      `${kid} `,
      `${kid}\n`,
      kid.slice(0, -1),
      `${kid}A`,
      kid.toLowerCase() + "!",
      "k".repeat(10_000),
    ],
    ...["ﬀ", "\u{1f511}", "\r\nX-Auth-Subject: root"],
  ];
  const wrongTypes = ["null", "1", "true", "[]", `["${kid}"]`, "{}", `{"$ne":""}`];
  const named = (value: string) => withMember(`"kid":${value}`);
  const text = (value: string) => named(JSON.stringify(value));
  return [
    ["the right kid", "valid", sign(text(kid), claims())],
    ...strange.map((value): Row => [
      `kid ${JSON.stringify(value.slice(0, 50))}`,
      "unknown_kid",
      sign(text(value), claims()),
    ]),
    [
      "an empty file as the key that kid names",
      "unknown_kid",
      sign(text("/dev/null"), claims(), ""),
    ],
    ...wrongTypes.map((
      value,
    ): Row => [`kid is ${value}`, "malformed", sign(named(value), claims())]),
    ["kid with a NUL", "malformed", sign(named(`"${kid}\\u0000"`), claims())],
    ["kid with a lone surrogate", "malformed", sign(named('"\\udc00"'), claims())],
    ["kid twice", "malformed", sign(withMember(`"kid":"x","kid":"${kid}"`), claims())],
    ["the old secret, its kid", "retired_kid", sign(text(oldKid), claims(), oldValue)],
    ["the old secret, the new kid", "bad_signature", sign(text(kid), claims(), oldValue)],
    ["the old secret, no kid", "bad_signature", sign(HEADER, claims(), oldValue)],
    ["the new secret, the old kid", "retired_kid", sign(text(oldKid), claims())],
  ];
}

export function headers(sign: Sign): Row[] {
  // Which kinds of token there are is for the applications to say: none of these names is known to be wrong.
  const accepted = [
    ...[
      '"typ":"JWT"',
      '"typ":"jwt"',
      '"typ":"at+jwt"',
      '"typ":"JWE"',
      '"typ":""',
      '"p2c":2147483647',
    ],
    ...[
      '"x5t":"AAAA"',
      '"url":"https://attacker.example"',
      '"nonce":"1"',
      '"exp":1',
      '"CRIT":["x"]',
    ],
  ];
  const nested = sign(HEADER, claims());
  return [
    ...REFUSED_MEMBERS.map((
      member,
    ): Row => [`header ${member}`, "malformed", sign(withMember(member), claims())]),
    ...accepted.map((
      member,
    ): Row => [`header ${member}`, "valid", sign(withMember(member), claims())]),
    ["a token as the payload", "malformed", sign(HEADER, nested)],
    ["a token as the payload, as a string", "malformed", sign(HEADER, `"${nested}"`)],
    ["a token as the payload, with cty", "malformed", sign(withMember('"cty":"JWT"'), nested)],
    [
      "a payload that is compressed",
      "malformed",
      sign(withMember('"zip":"DEF"'), Buffer.from("q1YqLk1SskpLzClOBQA=", "base64")),
    ],
  ];
}
