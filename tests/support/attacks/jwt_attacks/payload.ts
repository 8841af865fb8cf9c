import { Buffer } from "node:buffer";
import { type Attack, claims, HEADER, now, type Part, type Row, type Sign } from "./row.ts";

// RFC 8725 §2.4 and §3.7: JSON that two readers may read as two things, in the header or in the claims.
export function json(sign: Sign): Row[] {
  const bytes = (text: string) => Buffer.from(text, "latin1");
  const bad: [string, Part][] = [
    ["a member twice", '"sub":"root","sub":"alice"'],
    ["a member twice, once escaped", '"s\\u0075b":"root","sub":"alice"'],
    ["a member twice, deep inside", '"a":{"b":[{"c":1,"c":1}]}'],
    ["__proto__ twice", '"__proto__":{},"__proto__":{}'],
    ["a lone high surrogate", '"sub":"\\ud800"'],
    ["a lone low surrogate", '"sub":"\\udfff!"'],
    ["surrogates the wrong way round", '"sub":"\\udc00\\ud800"'],
    ["a lone surrogate as a name", '"\\ud83d":1'],
    ["a NUL", '"sub":"root\\u0000alice"'],
    ["a NUL as it is", '"sub":"root\0"'],
    ["a line break in a string", '"sub":"a\nb"'],
    ["invalid UTF-8", bytes('"sub":"\xff"')],
    ["UTF-8 cut short", bytes('"sub":"\xe2\x82"')],
    ["an overlong slash", bytes('"sub":"\xc0\xaf"')],
    ["an overlong NUL", bytes('"sub":"\xc0\x80"')],
    ["a surrogate in UTF-8", bytes('"sub":"\xed\xa0\x80"')],
    ["beyond Unicode", bytes('"sub":"\xf4\x90\x80\x80"')],
    ["a comma too many", '"sub":"a",'],
    ["a comment", '"sub":"a"/**/'],
    ["single quotes", "'sub':'a'"],
    ["a name without quotes", "sub:1"],
    ["a wrong escape", '"sub":"\\x41"'],
    ["10,000 arrays in each other", `"x":${"[".repeat(5_000)}${"]".repeat(5_000)}`],
    ["2,000 objects in each other", `"x":${'{"":'.repeat(2_000)}1${"}".repeat(2_000)}`],
  ];
  const around: [string, (text: string) => Part][] = [
    ["a byte order mark", (text) => `\ufeff${text}`],
    ["UTF-16", (text) => Buffer.from(text, "utf16le")],
    ["a no-break space before it", (text) => `\u00a0${text}`],
    ["a NUL after it", (text) => `${text}\0`],
    ["a second object", (text) => text + text],
    ["a list around it", (text) => `[${text}]`],
    ["nothing", () => ""],
    ["only white space", () => " "],
    ["null", () => "null"],
    ["a list of nothing", () => "[]"],
  ];
  const joined = (first: string, member: Part) =>
    Buffer.concat([Buffer.from(`${first},`), Buffer.from(member), Buffer.from("}")]);
  const [head, body] = ['{"alg":"HS512"', `{"exp":${now + 3_600}`];
  return [
    ...bad.flatMap(([name, member]): Row[] => [
      [`header: ${name}`, "malformed", sign(joined(head, member), claims())],
      [`claims: ${name}`, "malformed", sign(HEADER, joined(body, member))],
    ]),
    ...around.flatMap(([name, change]): Row[] => [
      [`header: ${name}`, "malformed", sign(change(HEADER), claims())],
      [`claims: ${name}`, "malformed", sign(HEADER, change(claims()))],
    ]),
    ["white space in both", "valid", sign(' {\t"alg" :\r\n"HS512" } ', `\n${claims()}\t`)],
  ];
}

export function numbers(sign: Sign): Row[] {
  const only = (text: string) => sign(HEADER, `{"sub":"alice",${text}}`);
  const exps: [value: string, code: Attack["code"]][] = [
    ...[
      "1e400",
      "-1e400",
      "9007199254740993",
      "1" + "0".repeat(400),
      '"9999999999"',
      '""',
      '"NaN"',
    ],
    ...["null", "true", "[]", "{}", "[9999999999]", '{"exp":9999999999}', "NaN", "Infinity"],
    ...[
      "-Infinity",
      "0x7fffffffff",
      "+9999999999",
      "09999999999",
      "9999999999.",
      ".9e10",
      "1_0",
      "9e",
    ],
    ...["9999999999n", "--1", "undefined"],
  ].map((value) => [value, "malformed"]);
  exps.push(
    ...["-1", "0", "-0", "1e-400", "0.5", "-1e308", `${now - 1}`, "4294967295e-1"]
      .map((value): [string, Attack["code"]] => [value, "expired"]),
    // A time beyond all calendars is a time; what JSON says without a fraction has to be exact.
    ...[
      "1e308",
      "9007199254740992",
      "9007199254740993.0",
      "1e10",
      `${now + 3_600}.5`,
      "32503680000",
    ]
      .map((value): [string, Attack["code"]] => [value, "valid"]),
  );
  const valid = `"exp":${now + 3_600}`;
  return [
    ...exps.map((
      [value, code],
    ): Row => [`exp ${value.slice(0, 30)}`, code, only(`"exp":${value}`)]),
    ["no exp", "claim_mismatch", only('"x":1')],
    ["exp of the prototype", "claim_mismatch", only(`"__proto__":{${valid}}`)],
    ["EXP", "claim_mismatch", only('"EXP":9999999999')],
    ["exp twice", "malformed", only(`"exp":1,${valid}`)],
    ["nbf in an hour", "not_yet_valid", only(`${valid},"nbf":${now + 3_600}`)],
    ["nbf 1e308", "not_yet_valid", only(`${valid},"nbf":1e308`)],
    ["nbf null", "malformed", only(`${valid},"nbf":null`)],
    ["nbf a string", "malformed", only(`${valid},"nbf":"0"`)],
    ["nbf -1", "valid", only(`${valid},"nbf":-1`)],
    ["iat a list", "malformed", only(`${valid},"iat":[]`)],
    ["iat 1e400", "malformed", only(`${valid},"iat":1e400`)],
    [
      "a number elsewhere that is not exact",
      "malformed",
      only(`${valid},"uid":[9007199254740993]`),
    ],
    ["expired, and exp in a list elsewhere", "expired", only(`"exp":1,"x":{${valid}}`)],
  ];
}

export function claimRows(sign: Sign): Row[] {
  const wrongTypes = [
    ...['"sub":1', '"sub":null', '"sub":{}', '"sub":["alice"]', '"iss":1', '"iss":["a","b"]'],
    ...['"iss":null', '"jti":7', '"jti":null', '"jti":{"$ne":1}', '"aud":1', '"aud":null'],
    ...['"aud":{}', '"aud":["a",1]', '"aud":[["a"]]', '"aud":true'],
  ];
  const only = (text: string) => sign(HEADER, `{"exp":${now + 3_600},${text}}`);
  return [
    ...wrongTypes.map((member): Row => [`claim ${member}`, "malformed", only(member)]),
    ["claims of the prototype", "valid", only('"__proto__":{"sub":"root","admin":true}')],
    [
      "claims that objects have",
      "valid",
      only('"constructor":{},"toString":"x","hasOwnProperty":1'),
    ],
    ["a toJSON claim", "valid", only('"toJSON":"x","then":"y","sub":"alice"')],
    [
      "a subject that breaks lines",
      "valid",
      only('"sub":"a\\r\\nX-Auth-Subject: root\\r\\n\\r\\n"'),
    ],
    ["SQL as jti", "valid", only(`"jti":"' OR revoked_at IS NULL --"`)],
    ["32 objects in each other", "valid", only(`"x":${'{"":'.repeat(32)}1${"}".repeat(32)}`)],
    ["another audience", "claim_mismatch", only('"aud":"other"'), { aud: "app" }],
    ["no audience", "claim_mismatch", only('"sub":"a"'), { aud: "app" }],
    ["an audience that begins so", "claim_mismatch", only('"aud":"app.evil"'), { aud: "app" }],
    ["an audience in one text", "claim_mismatch", only('"aud":"app,other"'), { aud: "app" }],
    ["an audience in capitals", "claim_mismatch", only('"aud":"APP"'), { aud: "app" }],
    ["one of the audiences", "valid", only('"aud":["x","app"]'), { aud: "app" }],
    ["another issuer", "claim_mismatch", only('"iss":"https://a.example/"'), {
      iss: "https://a.example",
    }],
    ["another subject", "claim_mismatch", only('"sub":"alice "'), { sub: "alice" }],
    ["é in two code points", "claim_mismatch", only('"sub":"e\\u0301"'), { sub: "é" }],
    ["the issuer of the prototype", "claim_mismatch", only('"__proto__":{"iss":"i"}'), {
      iss: "i",
    }],
  ];
}
