import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import { b64, claims, HEADER, type Row, type Sign, type Target } from "./row.ts";

// RFC 7515 §2 and RFC 4648 §3.5: one token has one spelling.
export function spellings(sign: Sign): Row[] {
  const token = sign(HEADER, claims());
  const [h, p, s] = token.split(".") as [string, string, string];
  const standard = (text: string) => Buffer.from(text, "base64url").toString("base64");
  const lastBit = (text: string) => {
    const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    return text.slice(0, -1) + letters[letters.indexOf(text.at(-1)!) ^ 1];
  };
  const spelt = [
    ...["", ".", "..", "...", ".....", " ", "null", h, `${h}.${p}`, `${h}.${p}.${s}.`, `.${token}`],
    ...[`${h}..${p}.${s}`, `${token}.${s}`, `${token}.${token}`, `${h}.${p}.${s}.a.b`, `..${s}`],
    ...[`.${p}.${s}`, `${h}..${s}`, `${h},${p},${s}`, `${h}.${p}.${s}=`, `${h}.${p}.${s}==`],
    ...[
      `${h}=.${p}.${s}`,
      `${h}.${p}==.${s}`,
      `${h}.${p}.${standard(s)}`,
      `${h}.${p}.${lastBit(s)}`,
    ],
    ...[`${token}.`, `${h}.${p}.${s.slice(0, 4)} ${s.slice(4)}`, `${h}.${p}\n.${s}`],
    ...[`${h}.${p}.+${s.slice(1)}`, `${h}.${p}./${s.slice(1)}`, `${h}.${p}.%41${s.slice(1)}`],
    ...[
      `${h}.${p}.${s}\u00e9`,
      `${h}.\u00ff${p}.${s}`,
      `${h}.${p}.${s}\u200b`,
      `${h}\uff0e${p}.${s}`,
    ],
    ...[
      `${h}.${p}.\u0410${s.slice(1)}`,
      `${h}.${p}.${s}\0`,
      `Bearer ${token}`,
      `"${token}"`,
      "\u{1f511}",
    ],
    ...[
      `{"protected":"${h}","payload":"${p}","signature":"${s}"}`,
      `${h}.${p}.${s};`,
      `${token} ${token}`,
    ],
    ...[`${h}.${p}.${s}#`, `${h}.${p}.${s}?a`, `${h}.${p}.${s}/../x`, `~${token}`, `${token}~`],
  ];
  return [
    ["as it should be", "valid", token],
    ...spelt.map((
      text,
    ): Row => [`spelt ${text.replace(token, "TOKEN").slice(-60)}`, "malformed", text]),
  ];
}

export function signatures(sign: Sign, { value }: Target): Row[] {
  const token = sign(HEADER, claims());
  const [h, p, s] = token.split(".") as [string, string, string];
  const [, otherPayload, otherSignature] = sign(HEADER, claims(',"admin":true')).split(".");
  const bytes = Buffer.from(s, "base64url");
  const all = (length: number, byte: number) => b64(new Uint8Array(length).fill(byte));
  const wrong: [string, string][] = [
    ["none", ""],
    ["a byte", all(1, 0)],
    ["64 zeros, as for CVE-2022-21449", all(64, 0)],
    ["132 zeros", all(132, 0)],
    ["64 times 255", all(64, 255)],
    ["its first half", b64(bytes.subarray(0, 32))],
    ["a byte less", b64(bytes.subarray(0, 63))],
    ["a byte more", b64(Buffer.concat([bytes, bytes.subarray(0, 1)]))],
    ["twice", b64(Buffer.concat([bytes, bytes]))],
    ["backwards", b64(bytes.toReversed())],
    ["of another token", otherSignature!],
    ["in hexadecimal", b64(bytes.toString("hex"))],
    ["in base64url, again", b64(s)],
    ["of the payload alone", b64(createHmac("sha512", value).update(p).digest())],
    ["an unkeyed hash", b64(createHmac("sha512", "").update(`${h}.${p}`).digest())],
  ];
  const jwe = `${b64('{"alg":"dir","enc":"A256GCM"}')}..${all(12, 1)}.${all(40, 2)}.${all(16, 3)}`;
  const expired = sign(HEADER, '{"exp":1}').split(".").slice(0, 2).join(".");
  const long = (length: number) => sign(HEADER, claims(`,"x":"${"x".repeat(length)}"`));
  return [
    ...wrong.map((
      [name, text],
    ): Row => [`signature: ${name}`, "bad_signature", `${h}.${p}.${text}`]),
    ["another payload", "bad_signature", `${h}.${otherPayload}.${s}`],
    ["another header", "bad_signature", `${b64('{"alg":"HS512" }')}.${p}.${s}`],
    ["forged, and expired", "bad_signature", `${expired}.${s}`],
    ["a JWE", "malformed", jwe],
    ["a JWE with our algorithm", "malformed", `${h}.${p}.${s}.${s}.${s}`],
    ["near the limit", "valid", long(12_000)],
    ["beyond the limit, signed", "too_large", long(13_000)],
    ["beyond the limit", "too_large", `${token}${"A".repeat(16_384)}`],
    ["8-bit, beyond the limit", "too_large", "\u00e9".repeat(16_385)],
    ["dots", "malformed", ".".repeat(16_384)],
    ["1 MB", "too_large", "A".repeat(2 ** 20)],
    ["1 MB of dots", "too_large", ".".repeat(2 ** 20)],
  ];
}
