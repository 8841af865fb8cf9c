import { isAbsolute, join } from "node:path";
import { type Box, type Ended, REKEY, type RunOptions } from "./box.ts";

/** What a program did with a name outside of itself. */
export interface Touch {
  /** `looked`: asked what is there, and did not open it. */
  readonly how: "looked" | "read" | "wrote" | "connected" | "listened" | "started";
  /** Path of a file, program or socket; `HOST:PORT`; the kind of any other socket. */
  readonly what: string;
}

const STRACE = "/usr/bin/strace";

/** strace's flags; the trace goes to `output`. Calls that fail count like others: what is sought is no less opened. */
export function straceFlags(output: string): string[] {
  const calls = "trace=%file,connect,bind,sendto,sendmsg";
  return ["-f", "-qq", "-y", "-s", "4096", "--seccomp-bpf", "-e", calls, "-o", output];
}

/** Runs rekey in a box under strace. */
export async function traceRun(
  box: Box,
  args: string[],
  options: RunOptions = {},
): Promise<{ ended: Ended; touches: Touch[] }> {
  const folder = Deno.makeTempDirSync({ prefix: "rekey-trace-" });
  try {
    const output = join(folder, "trace");
    const ended = await box.exec(STRACE, [...straceFlags(output), REKEY, ...args], options);
    return { ended, touches: touchesIn(Deno.readTextFileSync(output)) };
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** What a trace tells. The arguments of a call are in the line where it begins, whenever it ends. */
export function touchesIn(trace: string): Touch[] {
  const touches: Touch[] = [];
  for (const line of trace.split("\n")) {
    const [, call, rest] = /^\d+ +(\w+)\((.*)$/.exec(line) ?? [];
    if (call !== undefined) touches.push(...touchesOf(call, rest!));
  }
  return touches;
}

function* touchesOf(call: string, rest: string): Generator<Touch> {
  if (call === "execve" || call === "execveat") yield { how: "started", what: pathsIn(rest)[0]! };
  else if (/^(connect|bind|sendto|sendmsg)$/.test(call)) {
    const what = addressIn(rest);
    if (what !== undefined) yield { how: call === "bind" ? "listened" : "connected", what };
  } else {
    const how = howOf(call, rest);
    for (const what of pathsIn(rest)) yield { how, what };
  }
}

const LOOKS =
  /^(l?stat(fs)?|newfstatat|statx|f?access(at2?)?|readlink(at)?|getcwd|getxattr|f?chdir)$/;
const OPENS = /^open(at2?)?$/;

function howOf(call: string, rest: string): Touch["how"] {
  if (LOOKS.test(call)) return "looked";
  return OPENS.test(call) && !/O_(WRONLY|RDWR|CREAT)/.test(rest) ? "read" : "wrote";
}

// `5</folder>, "name"`, `AT_FDCWD</folder>, "name"` or `"/path"`; an empty name is the open file itself.
function pathsIn(rest: string): string[] {
  const found = rest.matchAll(/(?:(?:\d+|AT_FDCWD)<([^>]*)>, )?"((?:[^"\\]|\\.)*)"/g);
  return [...found].filter(([, , name]) => name !== "")
    .map(([, folder, name]) => isAbsolute(name!) ? name! : join(folder ?? "?", name!))
    .slice(0, 2);
}

function addressIn(rest: string): string | undefined {
  const [, path] = /sun_path=(@?"[^"]*")/.exec(rest) ?? [];
  if (path !== undefined) return path.replaceAll('"', "");
  const [, port] = /sin6?_port=htons\((\d+)\)/.exec(rest) ?? [];
  const [, host] = /inet_(?:addr\(|pton\(AF_INET6, )"([^"]*)"/.exec(rest) ?? [];
  if (port !== undefined) return `${host}:${port}`;
  return /sa_family=(\w+)/.exec(rest)?.[1];
}
