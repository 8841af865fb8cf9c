import { RekeyError, usageError } from "../core/errors.ts";
import { joinPieces, printable, utf8 } from "../core/encoding.ts";

/** Asks a yes-or-no question; every answer but `y` or `yes` means no. */
export type Confirm = (question: string) => boolean;

/**
 * Requires confirmation: `--force`, or a yes on the terminal.
 *
 * @throws {RekeyError} `usage` without a terminal, `cancelled` when the answer is no.
 */
export function requireConfirmation(force: boolean, question: string, confirm: Confirm): void {
  if (force) return;
  if (!Deno.stdin.isTerminal() || !Deno.stderr.isTerminal()) {
    throw usageError(
      "Cannot ask for confirmation: stdin is not a terminal",
      "Add --force if you are sure",
    );
  }
  if (!confirm(question)) throw new RekeyError("cancelled", "Cancelled: nothing was changed");
}

/** Asks on the terminal; the question goes to stderr, since stdout belongs to the result. */
export function askTerminal(question: string): boolean {
  Deno.stderr.writeSync(new TextEncoder().encode(`${printable(question)} [y/N] `));
  const buffer = new Uint8Array(64);
  const length = Deno.stdin.readSync(buffer) ?? 0;
  return /^y(es)?\s*$/i.test(new TextDecoder().decode(buffer.subarray(0, length)));
}

/**
 * Reads stdin to its end, or until it holds more than `limit` bytes.
 *
 * @returns the trimmed text; longer than `limit` characters if stdin holds more.
 */
export function readStdin(limit: number): string {
  const bytes = readStdinBytes(limit);
  // Invalid UTF-8 cannot be a token and is refused as one.
  const text = new TextDecoder().decode(bytes);
  // Marks the text as too long, since the part that was read may look valid.
  return bytes.length > limit ? text.padEnd(limit + 1) : text.trim();
}

/**
 * Decodes typed or piped bytes, and overwrites them.
 *
 * @throws {RekeyError} `usage` when they are not UTF-8, instead of replacing characters.
 */
export function typedText(bytes: Uint8Array, what: string): string {
  try {
    return utf8(bytes);
  } catch {
    throw usageError(
      `Cannot use ${what}: it is not UTF-8`,
      "Check the encoding of the terminal or file; iconv converts it",
    );
  } finally {
    bytes.fill(0);
  }
}

/** Reads stdin to its end, or until it holds more than `limit` bytes. */
export function readStdinBytes(limit: number): Uint8Array {
  const chunks: Uint8Array[] = [];
  const buffer = new Uint8Array(65_536);
  let total = 0;
  for (let length; total <= limit && (length = readSome(buffer)) !== null;) {
    chunks.push(buffer.slice(0, length));
    total += length;
  }
  buffer.fill(0);
  return joinPieces(chunks);
}

function readSome(buffer: Uint8Array): number | null {
  try {
    return Deno.stdin.readSync(buffer);
  } catch (cause) {
    throw usageError("Cannot read stdin", "Check that stdin is open and not a folder", cause);
  }
}

/**
 * Asks for a passphrase on the terminal without echo.
 *
 * @throws {RekeyError} `usage` without a terminal, `cancelled` on Ctrl-C.
 */
export function askHidden(question: string): string {
  if (!Deno.stdin.isTerminal() || !Deno.stderr.isTerminal()) {
    throw usageError(
      "Cannot ask for a passphrase: stdin is not a terminal",
      "Give it with --passphrase-file",
    );
  }
  const say = (text: string) => Deno.stderr.writeSync(new TextEncoder().encode(text));
  // Before the question: whoever types at once must not see it either.
  Deno.stdin.setRaw(true);
  try {
    say(`${question}: `);
    return readHidden();
  } finally {
    Deno.stdin.setRaw(false);
    say("\n");
  }
}

const [CTRL_C, CTRL_D, BACKSPACE, DELETE, NEWLINE, RETURN] = [3, 4, 8, 127, 10, 13];

function readHidden(): string {
  const typed: number[] = [];
  for (const byte = new Uint8Array(1);;) {
    const [key] = readSome(byte) === null ? [CTRL_D] : byte;
    if (key === CTRL_C) throw new RekeyError("cancelled", "Cancelled: nothing was changed");
    if (key === CTRL_D || key === NEWLINE || key === RETURN) {
      return typedText(new Uint8Array(typed), "what was typed");
    }
    if (key !== BACKSPACE && key !== DELETE) typed.push(key!);
    // Deletes all bytes of a UTF-8 character.
    else while (((typed.pop() ?? 0) & 0xc0) === 0x80);
  }
}
