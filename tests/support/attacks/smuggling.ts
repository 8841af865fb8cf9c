/** A request whose end two readers may see in two places, with another one hidden behind or in it. */
export interface Smuggled {
  readonly name: string;
  /** As it goes over the line: a character is a byte. */
  readonly text: string;
  /** What rekey answers on the connection, all of it, when there is no proxy. */
  readonly statuses: readonly number[];
}

/** What carries the hidden request. */
export interface Carrier {
  /** Method, target and version. */
  readonly line: string;
  readonly headers: readonly string[];
  readonly body: string;
  /** A whole request. */
  readonly hidden: string;
}

type Framing = [name: string, fields: string[], body: string, statuses: number[]];

// It is answered 401 as it is, since it holds no valid token; 400 is a refusal of the framing.
const [ANSWERED, REFUSED] = [[401], [400]];

/** Every way of hiding that is known here; the last ones hide nothing. */
export function smuggling(carrier: Carrier): Smuggled[] {
  const framings = [lengths, codings, chunks].flatMap((group) => group(carrier));
  const framed = framings.map(([name, fields, body, statuses]) => ({
    name,
    text: request(carrier, fields) + body,
    statuses,
  }));
  return [...framed, ...lines(carrier)];
}

function request({ line, headers }: Carrier, fields: readonly string[]): string {
  return [line, ...headers, ...fields].join("\r\n") + "\r\n\r\n";
}

function inChunks(...texts: string[]): string {
  return [...texts, ""].map((text) => `${text.length.toString(16)}\r\n${text}\r\n`).join("");
}

function lengths({ body, hidden }: Carrier): Framing[] {
  const size = body.length;
  const wrong = [
    ...[
      `+${size}`,
      `-${size}`,
      `0x${size.toString(16)}`,
      size.toString(16) + "h",
      `${size},${size}`,
    ],
    ...[`${size}, ${size + 1}`, `${size}.0`, `${size}e0`, "", " ", `${size};`, `${size} ${size}`],
    ...["9".repeat(20), String(2n ** 64n + BigInt(size)), `\x0b${size}`, `${size}\0`, `${size}_0`],
    ...[`"${size}"`, "\xb2\xb3", `${size}\x0c`, "NaN"],
  ];
  const twice = [
    ["twice, the first is right", `Content-Length: ${size}`, `Content-Length: ${size + 9}`],
    ["twice, the last is right", "Content-Length: 0", `Content-Length: ${size}`],
    ["three times", `Content-Length: ${size}`, `content-length: ${size}`, "CONTENT-LENGTH: 0"],
  ];
  return [
    ...wrong.map((length): Framing => [
      `Content-Length: ${JSON.stringify(length)}`,
      [`Content-Length: ${length}`],
      body + hidden,
      REFUSED,
    ]),
    ...twice.map(([name, ...fields]): Framing => [name!, fields, body + hidden, REFUSED]),
    ["it is in the body", [`Content-Length: ${size + hidden.length}`], body + hidden, REFUSED],
    ["a space before the colon", [`Content-Length : ${size}`], body + hidden, REFUSED],
    ["a length in a folded line", [`X: y\r\n Content-Length: ${size}`], body + hidden, REFUSED],
  ];
}

function codings({ body, hidden }: Carrier): Framing[] {
  const chunked = inChunks(body) + hidden;
  const wrong = [
    ...[
      "xchunked",
      "x",
      "identity",
      "",
      "chunked, identity",
      "chunked,",
      '"chunked"',
      "chunked;q=1",
    ],
    ...[
      "\x0bchunked",
      "chunked\0",
      "chunked\x0c",
      "\xa0chunked",
      "chunked\x85",
      "chun\tked",
      "gzip",
    ],
    ...["gzip, chunked", "identity, chunked", "chunked, chunked", "cow, chunked", ",chunked"],
  ];
  const right = ["chunked", "CHUNKED", " chunked", "\tchunked", "chunked "];
  const length = `Content-Length: ${chunked.length}`;
  const ways = (coding: string, statuses: number[]): Framing[] => [
    [`${JSON.stringify(coding)} alone`, [`Transfer-Encoding: ${coding}`], chunked, statuses],
    [
      `CL, TE ${JSON.stringify(coding)}`,
      [length, `Transfer-Encoding: ${coding}`],
      chunked,
      REFUSED,
    ],
    // The runtime hides the length; what counts is that nothing is answered after it.
    [
      `TE ${JSON.stringify(coding)}, CL`,
      [`Transfer-Encoding: ${coding}`, length],
      chunked,
      statuses,
    ],
  ];
  const fields: [name: string, fields: string[]][] = [
    ["a space before its colon", ["Transfer-Encoding : chunked"]],
    ["a tab before its colon", ["Transfer-Encoding\t: chunked"]],
    ["a NUL in its name", ["Transfer-Encoding\0: chunked"]],
    ["its value on the next line", ["Transfer-Encoding:\r\n chunked"]],
    ["itself on a folded line", ["X: y\r\n Transfer-Encoding: chunked"]],
    ["behind a bare line feed", ["X: y\nTransfer-Encoding: chunked"]],
    ["behind a bare carriage return", ["X: y\rTransfer-Encoding: chunked"]],
    ["twice, the last is nonsense", ["Transfer-Encoding: chunked", "Transfer-Encoding: x"]],
    ["twice, the first is nonsense", ["Transfer-Encoding: x", "Transfer-Encoding: chunked"]],
  ];
  return [
    ...wrong.flatMap((coding) => ways(coding, REFUSED)),
    ...right.flatMap((coding) => ways(coding, ANSWERED)),
    ...fields.map(([name, some]): Framing => [name, [length, ...some], chunked, REFUSED]),
    ["CL.TE", ["Content-Length: 5", "Transfer-Encoding: chunked"], `0\r\n\r\n${hidden}`, REFUSED],
    ["TE.CL", ["Transfer-Encoding: chunked", "Content-Length: 4"], inChunks(hidden), REFUSED],
    ["no length for it", ["Content-Length: 0", "Transfer-Encoding: chunked"], chunked, REFUSED],
  ];
}

function chunks({ body, hidden }: Carrier): Framing[] {
  const size = body.length.toString(16);
  const end = "0\r\n\r\n";
  const sent: [name: string, body: string, statuses: number[]][] = [
    ["it is in a chunk", inChunks(body, hidden), REFUSED],
    ["behind the chunks", inChunks(body), ANSWERED],
    ["an extension", `${size};a=b\r\n${body}\r\n${end}`, ANSWERED],
    ["an extension with an open quote", `${size};a="\r\n${body}\r\n${end}`, ANSWERED],
    ["an extension with a line feed", `${size};a\n${body}\r\n${end}`, REFUSED],
    ["an extension with a carriage return", `${size};a\rb\r\n${body}\r\n${end}`, REFUSED],
    ["line feeds alone", `${size}\n${body}\n0\n\n`, REFUSED],
    ["nothing after the data", `${size}\r\n${body}${end}`, REFUSED],
    ["something else after the data", `${size}\r\n${body}XX${end}`, REFUSED],
    ["0x", `0x${size}\r\n${body}\r\n${end}`, REFUSED],
    ["a plus", `+${size}\r\n${body}\r\n${end}`, REFUSED],
    ["a minus", `-${size}\r\n${body}\r\n${end}`, REFUSED],
    ["a space before it", ` ${size}\r\n${body}\r\n${end}`, REFUSED],
    ["no size", `\r\n${body}\r\n${end}`, REFUSED],
    ["65 bits", `1000000000000000${size}\r\n${body}\r\n${end}`, REFUSED],
    ["many zeros at the end", `${size}\r\n${body}\r\n0000\r\n\r\n`, ANSWERED],
    ["a trailer", `${size}\r\n${body}\r\n0\r\nContent-Length: 9\r\n\r\n`, ANSWERED],
    ["a trailer that does not end", `${size}\r\n${body}\r\n0\r\nX: y\r\n`, REFUSED],
  ];
  const coding = ["Transfer-Encoding: chunked"];
  return sent.map(([name, text, statuses]) => [`chunks: ${name}`, coding, text + hidden, statuses]);
}

function lines(carrier: Carrier): Smuggled[] {
  const { body, hidden } = carrier;
  const whole = request(carrier, [`Content-Length: ${body.length}`]) + body;
  const also = (field: string) =>
    request(carrier, [field, `Content-Length: ${body.length}`]) + body + hidden;
  const refused: [string, string][] = [
    ["carriage returns alone", whole.replaceAll("\r\n", "\r") + hidden],
    ["a NUL in a value", also("X: a\0b")],
    ["a carriage return in a value", also("X: a\rb")],
    ["a folded line", also("X: a\r\n b")],
    ["a folded line at first", also("X: a").replace("\r\n", "\r\n ")],
    ["a line without a colon", also("Xyz")],
    ["a line without a name", also(": x")],
    ["a space in a name", also("X Y: z")],
    ["a space at first", ` ${whole}${hidden}`],
    ["HTTP/1.2", whole.replace("HTTP/1.1", "HTTP/1.2") + hidden],
    ["HTTP/2 in name", whole.replace("HTTP/1.1", "HTTP/2.0") + hidden],
    [
      "HTTP/1.0 in chunks",
      request(carrier, ["Transfer-Encoding: chunked"])
        .replace("HTTP/1.1", "HTTP/1.0") + inChunks(body) + hidden,
    ],
  ];
  return refused.map(([name, text]) => ({ name, text, statuses: REFUSED }));
}
