import type { RekeyError } from "../../core/errors.ts";
import { parse } from "dotenv";
import { unreadable } from "./imported.ts";
import type { Source } from "./source.ts";
import { recognised } from "./not_a_secret.ts";

/**
 * The value of a variable in a file of `NAME=VALUE` lines, by the rules of `dotenv`. Programs differ on backslashes, `$`
 * and `#` within a value, and a wrong guess would be another secret: such a value is in doubt, and a token can show
 * which reading is right.
 *
 * @throws {RekeyError} `usage` when the file does not set it, or sets it to several values.
 */
export function envReadings(text: string, name: string): Source {
  const lines = text.replaceAll(/\r\n?/g, "\n");
  const values = parse(lines);
  const value = Object.hasOwn(values, name) ? values[name] : undefined;
  if (value === undefined) {
    throw unreadable("the file sets no variable of that name", "Check --name");
  }
  if (value === "") {
    throw unreadable("the file sets that variable to nothing", "Is it the right file?");
  }
  const pattern = new RegExp(
    `^[^\\S\\n]*(?:export\\s+)?${RegExp.escape(name)}[^\\S\\n]*=(.*)$`,
    "gm",
  );
  const raw = [...lines.matchAll(pattern)].map(([, rest]) => rest!.trim());
  if (new Set(raw).size > 1) throw unreadable("the file sets it twice", "Pipe in the value itself");
  const others = otherReadings(raw[0] ?? "", value);
  const doubtful = isDoubtful(raw[0] ?? "", value) ? inDoubt() : undefined;
  return { reading: { text: value }, doubt: doubtful ?? recognised(value), others };
}

function isDoubtful(raw: string, value: string): boolean {
  if (raw.startsWith("'")) return false;
  if (/\$[A-Za-z_{(]/.test(value)) return recognised(value) === undefined;
  if (raw.startsWith('"')) return raw.includes("\\");
  return raw.startsWith("`") || /\\|\S#/.test(raw) || /^["']|["']$/.test(value);
}

// As shells read it, as Docker's --env-file does (the whole line), and as the literal text between the quotes.
function otherReadings(raw: string, value: string) {
  const inner = /^(["'`])(.*)\1(?:\s+#.*)?$/.exec(raw)?.[2];
  const texts = [
    inner?.replace(/\\(["\\$`])/g, "$1"),
    inner?.replace(/\\(.)/g, "$1"),
    inner,
    raw.split(/\s#/)[0]!.trim(),
    raw.replace(/\\(.)/g, "$1"),
    raw,
  ];
  const different = new Set(texts.filter((text) => text !== undefined && text !== value));
  return [...different].filter((text) => text !== "").map((text) => ({ text: text! }));
}

function inDoubt(): RekeyError {
  return unreadable(
    "programs read its line in different ways",
    "Pipe in the value itself, or let a token of the application's decide: --check-token TOKEN",
  );
}
