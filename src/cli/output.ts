import { printableJson } from "../core/encoding.ts";
import { RekeyError } from "../core/errors.ts";
import { fittedTable, printable, table } from "./format.ts";

// Output rules: the result goes to stdout and everything else to stderr; questions are asked only when stdin and stderr
// are terminals; --json prints one object per line, errors included; --quiet leaves results, warnings and errors; colour
// is used on a terminal unless NO_COLOR or --no-color is set. A file's name may hold anything, line ends and what controls
// a terminal too: each line goes through `printable`, and JSON through `printableJson`. Only a text of its own is printed
// as it is (`text`, `lines`: a script, an export whose bytes are signed), and on a terminal even that is made safe.

/** Output flags. */
interface OutputOptions {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly color: boolean;
}

/** Where text is written; tests replace {@linkcode systemStreams}. */
interface OutputStreams {
  stdout(text: string): void;
  stderr(text: string): void;
  /** Width of the terminal on stdout; `undefined` if stdout is not a terminal. */
  readonly columns?: number | undefined;
}

/** A warning: see `SecretManager.flushNotes`. */
export const NOT_LOGGED = "the retrieval of the secret could not be written to the audit log";

/** An error that was already printed as the result, as by `verify --json`. */
export class Reported extends Error {
  constructor(readonly refusal: RekeyError) {
    super(refusal.message);
  }
}

/** A program run by `exec` has ended; rekey exits with its status and prints nothing more. */
export class ProgramEnded extends Error {
  constructor(readonly status: number) {
    super(`The program ended with status ${status}`);
  }
}

/** How many characters are printed at once at least, if there are more. */
const PIECE = 65_536;

/** Renders results, remarks and errors. */
export class Output {
  constructor(readonly options: OutputOptions, private readonly streams: OutputStreams) {}

  /** Prints the command's result: `object` with `--json`, otherwise the lines. */
  result(object: Record<string, unknown>, human: readonly string[]): void {
    this.text(object, human.map(printable));
  }

  /** Prints a result that is a text of its own, such as a script, as it is. */
  text(object: Record<string, unknown>, texts: readonly string[]): void {
    const lines = this.options.json ? [printableJson(object)] : texts;
    for (const line of lines) this.streams.stdout(`${line}\n`);
  }

  /** Prints the result to stderr when stdout carries other data, such as a backup. */
  resultToStderr(object: Record<string, unknown>, human: readonly string[]): void {
    if (this.options.json) this.streams.stderr(`${printableJson(object)}\n`);
    else human.forEach((line) => this.remark(line));
  }

  /**
   * Prints a table. On a narrow terminal it prints the `narrow` rows; a last cell that does not fit moves to the next
   * line, other text is cut.
   */
  table(
    rows: readonly (readonly string[])[],
    narrow: () => readonly (readonly string[])[] = () => rows,
  ): void {
    const { columns } = this.streams;
    const lines = table(rows);
    const fits = columns === undefined || lines.every((line) => line.length <= columns);
    this.result({}, fits ? lines : fittedTable(narrow(), columns));
  }

  /** Prints several results: each as a line of JSON with `--json`, otherwise a {@linkcode table}. */
  list(objects: readonly object[], ...rows: Parameters<Output["table"]>): void {
    if (this.options.json) objects.forEach((object) => this.line(object));
    else this.table(...rows);
  }

  /** Prints one of several results as a line of JSON. */
  line(object: object): void {
    this.streams.stdout(`${printableJson(object)}\n`);
  }

  /** Prints many lines, in pieces: a system call for each would take longer than all else. */
  lines(texts: Iterable<string>): void {
    let piece = "";
    for (const text of texts) {
      piece += `${text}\n`;
      if (piece.length < PIECE) continue;
      this.streams.stdout(piece);
      piece = "";
    }
    if (piece !== "") this.streams.stdout(piece);
  }

  /** A remark that is not the result; silent with `--quiet` and `--json`. */
  remark(text: string): void {
    if (this.options.quiet || this.options.json) return;
    this.streams.stderr(`${printable(text)}\n`);
  }

  /** The audit log's head, for stderr or the journal: `--json` says it there too, `--quiet` does not. */
  head(head: string): void {
    if (this.options.json) this.streams.stderr(`${printableJson({ audit_head: head })}\n`);
    else this.remark(`audit head ${head}`);
  }

  /** How far a long command has come, on one line of a terminal; an empty text clears it. */
  progress(text: string): void {
    const { quiet, json } = this.options;
    if (!quiet && !json && Deno.stderr.isTerminal()) {
      this.streams.stderr(`\r\x1b[K${printable(text)}`);
    }
  }

  /** Something that the operator should act on although the command succeeds. */
  warning(text: string): void {
    if (this.options.json) this.streams.stderr(`${printableJson({ warning: text })}\n`);
    else this.streams.stderr(`${this.#paint("33", "warning:")} ${printable(text)}\n`);
  }

  error({ code, message, hint }: RekeyError): void {
    if (this.options.json) {
      this.streams.stderr(`${printableJson({ error: { code, message, hint: hint ?? null } })}\n`);
      return;
    }
    // With REKEY_DEBUG a bug's message has where it happened, on lines of its own.
    const lines = code === "internal" ? message.split("\n") : [message];
    const shown = lines.map(printable).join("\n");
    this.streams.stderr(`${this.#paint("31", "error:")} ${shown}\n`);
    if (hint === undefined) return;
    this.streams.stderr(`${this.#paint("36", "hint:")} ${printable(hint)}\n`);
  }

  #paint(code: string, text: string): string {
    return this.options.color ? `\x1b[${code}m${text}\x1b[0m` : text;
  }
}

/**
 * The process's streams. A closed pipe on stdout ends the program, as is usual. What cannot be written to stderr is lost:
 * a remark does not decide whether the command succeeded.
 */
export const systemStreams: OutputStreams = {
  stdout: writeResult,
  stderr: (text) => tryToWrite(Deno.stderr, new TextEncoder().encode(text)),
  get columns() {
    return Deno.stdout.isTerminal() ? Deno.consoleSize().columns || undefined : undefined;
  },
};

/** Streams for a server, which continues when its output cannot be written. */
export const lenientStreams: OutputStreams = {
  stdout: (text) => tryToWrite(Deno.stdout, new TextEncoder().encode(text)),
  stderr: systemStreams.stderr,
};

/** Writes bytes to a stream if that is possible. */
export function tryToWrite(
  stream: { writeSync(data: Uint8Array): number },
  bytes: Uint8Array,
): void {
  try {
    for (let rest = bytes; rest.length > 0;) rest = rest.subarray(stream.writeSync(rest));
  } catch {
    // There is no way to report this.
  }
}

// 128 + SIGPIPE, as a shell reports a program that wrote into a closed pipe.
const EXIT_BROKEN_PIPE = 141;

function writeResult(text: string): void {
  const shown = Deno.stdout.isTerminal() ? forTerminal(text) : text;
  let rest = new TextEncoder().encode(shown);
  try {
    while (rest.length > 0) rest = rest.subarray(Deno.stdout.writeSync(rest));
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) Deno.exit(EXIT_BROKEN_PIPE);
    throw new RekeyError(
      "failed",
      "Cannot write the output, although the command succeeded",
      {
        hint: "Check whether the disk is full; `rekey status` shows the state",
        cause: error,
      },
    );
  }
}

// An export's JSON leaves these as they are: controls that a terminal obeys, and marks that turn text round. It is the
// same JSON with their escapes.
function forTerminal(text: string): string {
  return text.replace(
    /[\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/**
 * Writes bytes to stdout, all of them.
 *
 * @throws {RekeyError} `failed` when they cannot all be written, since the reader may take a part for the whole.
 */
export function writeBytes(bytes: Uint8Array): void {
  for (let rest = bytes; rest.length > 0;) {
    try {
      rest = rest.subarray(Deno.stdout.writeSync(rest));
    } catch (error) {
      if (error instanceof Deno.errors.WouldBlock) continue;
      throw new RekeyError("failed", "Cannot write to stdout: what was written is not whole", {
        hint: "Check whether the reader has ended or the disk is full",
        cause: error,
      });
    }
  }
}
