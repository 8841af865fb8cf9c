/**
 * Texts that something on the way may change: a decoder drops a byte order mark, a reader of lines takes line ends, a
 * shell or a form trims, a file system or a browser composes characters. Each is a secret that a program may have.
 */
export const AWKWARD_TEXTS: Readonly<Record<string, string>> = {
  "a byte order mark": "\ufeffcorrect horse battery staple, twice",
  "two byte order marks, and one inside": "\ufeff\ufeffcorrect horse \ufeff battery staple, twice",
  "replacement characters": "\ufffdcorrect horse battery staple \ufffd\ufffd",
  "decomposed characters": "cafe\u0301 cre\u0300me bru\u0302le\u0301e, correct horse battery",
  "composed characters": "caf\u00e9 cr\u00e8me br\u00fbl\u00e9e, correct horse battery",
  "characters beyond the first plane": "\u{1f40e}\u{1f50b}\u{1f4ce} correct horse battery staple",
  "line ends inside": "correct horse\r\nbattery\nstaple\rtwice over, and once more",
  "a line end of its own at the end": "correct horse battery staple, twice over\n",
  "spaces around": " \tcorrect horse battery staple, twice over\u00a0 ",
  "control characters and line separators":
    "correct\u0001 horse\u007f battery\u2028 staple\u0085 twice",
  "as many bytes as may be": `${"correct horse battery staple ".repeat(35)}012345678`,
};

/** What `import` is given on stdin or in a file: it takes the last line end away. */
export function asLine(text: string): string {
  return `${text}\n`;
}
