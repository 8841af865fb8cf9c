import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { Box } from "../process/box.ts";
import { everyNthByBinary } from "./in_process.ts";
import { type Header, now, signWith } from "../attacks/foreign_tokens.ts";

/** A token that another program has signed with a key. */
export const token = (
  key: string | Uint8Array,
  alg = "HS256",
  claims: object = {},
  header: Header = {},
) => signWith(key, { alg, typ: "JWT", ...header }, { sub: "old", exp: now() + 600, ...claims });

/** A random secret, as text. */
export const secret = () => randomBytes(48).toString("base64");

const run = everyNthByBinary(8);

/** Imports a file's content into a new box, and answers how that ended. */
export async function importing(content: string | Uint8Array, ...args: string[]) {
  const box = new Box();
  const file = `${box.home}/given`;
  Deno.writeFileSync(
    file,
    typeof content === "string" ? new TextEncoder().encode(content) : content,
    { mode: 0o600 },
  );
  const ended = await run(box, ["import", "--file", file, ...args, "--json"]);
  Deno.removeSync(file);
  const said = ended.code === 0 ? JSON.parse(ended.stdout) : JSON.parse(ended.stderr).error;
  const verdict = async (text: string) => {
    const { stdout } = await run(box, ["verify", text, "--json"]);
    return JSON.parse(stdout).valid as boolean;
  };
  return { box, code: ended.code, said, stderr: ended.stderr, verdict };
}

/** Imports a content whose key signs, as `key`, the tokens of this test. */
export async function mustSign(content: string, key: string | Uint8Array, ...args: string[]) {
  const { box, code, said, verdict } = await importing(content, "--alg", "HS256", ...args);
  using _ = box;
  assert.equal(code, 0, `${JSON.stringify(content)}: ${JSON.stringify(said)}`);
  assert.equal(await verdict(token(key)), true, content);
}

/** Imports a content that is to be refused as bad input. @param why what the error says. */
export async function mustRefuse(content: string | Uint8Array, why: RegExp, ...args: string[]) {
  const { box, code, said } = await importing(content, ...args);
  using _ = box;
  assert.equal(code, 2, JSON.stringify(said));
  assert.match(said.message, why, JSON.stringify(content));
  assert.ok(!box.files().has(box.database), "nothing is stored");
}

/** A key that is to be refused, or flags with it: what the error and its hint say. */
export type KeyRefusal = [
  content: string | Uint8Array,
  why: RegExp,
  hint: RegExp,
  ...args: string[],
];

/** Imports what is to be refused with a hint. */
export async function mustRefuseKey(
  [content, why, hint, ...args]: KeyRefusal,
  code = 2,
): Promise<void> {
  const { box, code: exit, said } = await importing(content, ...args);
  using _ = box;
  assert.equal(exit, code, JSON.stringify(said));
  assert.match(said.message, why);
  assert.match(said.hint, hint, said.message);
  assert.ok(!box.files().has(box.database), "nothing is stored");
}
