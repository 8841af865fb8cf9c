/** A block of PEM (RFC 7468 §3), as it stands in its text. */
export interface PemText {
  /** From `-----BEGIN` to the end of its last line. */
  readonly text: string;
  readonly label: string;
  /** What stands between the two lines. */
  readonly body: string;
  /** The label of its last line, which should be the same. */
  readonly endLabel: string;
  /** Where it begins in the text. */
  readonly index: number;
}

/**
 * The blocks in a text. Looks at each character once or twice: one pattern for a whole block would look for the end again
 * from each beginning that has none.
 */
export function* pemBlocks(text: string): Generator<PemText> {
  const begin = /-----BEGIN ([A-Z0-9 ]+)-----/g;
  const end = /-----END ([A-Z0-9 ]*)-----/g;
  for (let first, last; (first = begin.exec(text)) !== null;) {
    end.lastIndex = begin.lastIndex;
    if ((last = end.exec(text)) === null) return;
    yield {
      text: text.slice(first.index, end.lastIndex),
      label: first[1]!,
      body: text.slice(begin.lastIndex, last.index),
      endLabel: last[1]!,
      index: first.index,
    };
    begin.lastIndex = end.lastIndex;
  }
}
