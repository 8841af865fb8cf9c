import { Buffer } from "node:buffer";
import { until } from "../timing/pause.ts";
import { Line } from "./raw_http.ts";

/** How a WebSocket was opened: the answer's status, and what came back for a message (RFC 6455). */
export interface Opened {
  readonly status: number;
  readonly echo: string | undefined;
}

/** Opens a WebSocket through a proxy for `app.example.com`, and sends a short text. */
export async function openSocket(
  port: number,
  path: string,
  headers: Record<string, string> = {},
): Promise<Opened> {
  using line = await Line.to(port);
  const lines = Object.entries({
    Host: "app.example.com",
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": Buffer.alloc(16, 1).toString("base64"),
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  await line.say(`GET ${path} HTTP/1.1\r\n${lines.join("")}\r\n`);
  await until(() => line.heard.includes("\r\n\r\n"), { every: 5 });
  const status = Number(line.heard.slice("HTTP/1.1 ".length).slice(0, 3));
  if (status !== 101) return { status, echo: undefined };
  // A whole text frame, with a mask that changes nothing.
  await line.say(`\x81${String.fromCharCode(0x80 | 5)}\0\0\0\0hello`);
  const echo = () => /\r\n\r\n..(.{5})/s.exec(line.heard)?.[1];
  await until(() => echo() !== undefined, { every: 5 });
  return { status, echo: echo() };
}
