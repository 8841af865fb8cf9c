import { PASSWORD } from "../http/logging_in.ts";
import { join } from "node:path";
import { type Box, REKEY } from "./box.ts";
import { pause } from "../timing/pause.ts";
import { Serving } from "../http/serving.ts";
import { straceFlags, type Touch, touchesIn, traceRun } from "./trace.ts";
import type { CommandName } from "../../../scripts/touches/commands.ts";

/** What a command did, with the names that differ from run to run put in capitals. */
export interface Observed {
  readonly command: CommandName;
  readonly touches: readonly Touch[];
}

/** Runs every command in an empty box, in an order in which each has something to do. */
export async function* everyCommand(box: Box): AsyncGenerator<Observed> {
  const named = join(box.home, "named");
  Deno.mkdirSync(named, { mode: 0o700 });
  const [backup, imported] = [join(named, "backup.db"), join(named, "imported")];
  const exported = join(named, "exported");
  Deno.writeTextFileSync(exported, "");
  Deno.writeTextFileSync(imported, "a-secret-of-an-application-that-is-long-enough-for-HS256-xyz");
  const run = (command: CommandName, args: string[], stdin?: string) =>
    observe(box, command, args, stdin);

  yield await run("--help", ["--help"]);
  yield await run("--version", ["--version"]);
  yield await run("version", ["version"]);
  yield await run("init", ["init"]);
  yield await run("apps", ["apps"]);
  yield await run("status", ["status"]);
  yield await run("store show", ["store", "show"]);
  yield await run("doctor", ["doctor"]);
  yield await run("issue", ["issue", "--sub", "a"]);
  const token = await box.token();
  yield await run("verify", ["verify", "-"], token);
  yield* delivering(box);
  yield await run("user add", ["user", "add", "alice"], PASSWORD);
  yield await run("user list", ["user", "list"]);
  yield await run("user passwd", ["user", "passwd", "alice"], `${PASSWORD}!`);
  yield await run("user claims", ["user", "claims", "alice", "--claim", "role=editor"]);
  yield await run("rotate", ["rotate", "--force", "--grace", "15m"]);
  yield await run("rotate", ["security", "rotate-jwt-secret", "--force", "--grace", "15m"]);
  yield await run("policy set", ["policy", "set", "--leeway", "5s"]);
  yield await run("revoke", ["revoke"]);
  yield await run("session list", ["session", "list"]);
  yield await run("session revoke", ["session", "revoke", "--user", "alice"]);
  yield await serving(box, "serve", [], `${PASSWORD}!`);
  yield await serving(box, "serve --unix", ["--unix", join(named, "socket")]);
  yield await run("user remove", ["user", "remove", "alice", "--force"]);
  yield await run("audit list", ["audit", "list"]);
  yield await run("audit verify", ["audit", "verify"]);
  yield await run("audit export", ["audit", "export"]);
  yield await run("audit merge", ["audit", "merge", exported]);
  yield await run("audit sinks", ["audit", "sinks"]);
  yield await run("audit key", ["audit", "key"]);
  yield await run("audit checkpoint", ["audit", "checkpoint"]);
  const [key = ""] = (await box.run(["audit", "key"])).stdout.split("\n");
  const notes = join(named, "notes");
  Deno.writeTextFileSync(notes, (await box.run(["audit", "checkpoint"])).stdout);
  Deno.writeTextFileSync(exported, (await box.run(["audit", "export"])).stdout);
  const auditor = ["--key", key, "--checkpoint", notes];
  yield await run("audit verify-export", ["audit", "verify-export", exported, ...auditor]);
  const prune = ["audit", "prune", "--force", "--retrievals-older-than", "0s"];
  yield await run("audit prune", prune);
  yield await run("stats", ["stats"]);
  yield await run("schedule", ["schedule", "systemd", "--user"]);
  yield await run("completions", ["completions", "bash"]);
  yield await run("complete", ["complete"], "user\nremove\n\n");
  yield await run("exec", ["exec", "--", "/usr/bin/true"]);
  yield await run("exec --on-rotate", ["exec", "--on-rotate", "restart", "--", "/usr/bin/true"]);
  yield await run("exec --keys-file", ["exec", "--keys-file", "--", "/usr/bin/true"]);
  yield await run("backup", ["backup", backup]);
  yield await run("restore", ["restore", backup, "--force"]);
  yield await run("kek rotate", ["kek", "rotate"]);
  const { location } = await box.json("status");
  const other = location === "keyring" ? "database" : "keyring";
  // There and back: both directions are one command.
  if (box.env.DBUS_SESSION_BUS_ADDRESS) yield await run("store move", ["store", "move", other]);
  yield await run("store move", ["store", "move", location]);
  // Port 9 takes nothing: the notice fails, and the rotation stands.
  const notices = ["--notify-url", "http://127.0.0.1:9/", "--notify-format", "slack"];
  const sink = ["--audit-to", join(named, "audit.jsonl")];
  yield await run("rotate", ["rotate", "--force", ...sink, ...notices]);
  await box.run(["rotate", "--force", "--alg", "ES256"]);
  yield await run("jwks", ["jwks"]);
  yield await run("destroy", ["destroy", "--force"]);
  yield await run("import", ["import", "--file", imported, "--alg", "HS256"]);
  yield await run("destroy", ["destroy", "--force"]);
  const env = { REKEY_KEK_COMMAND: `echo ${"ab".repeat(32)}` };
  const touches: Touch[] = [];
  for (const args of [["init"], ["issue", "--sub", "a"]]) {
    touches.push(...(await traced(box, args, { env })).touches);
  }
  yield { command: "REKEY_KEK_COMMAND", touches: plain(box, touches) };
}

async function* delivering(box: Box): AsyncGenerator<Observed> {
  const path = join(box.home, "delivered/keys.json");
  const target = ["--format", "jwks", "--path", path, "--reload", "true"];
  const run = (command: CommandName, ...args: string[]) =>
    observe(box, command, [...command.split(" "), ...args]);
  yield await run("deliver add", "api", ...target);
  yield await run("deliver list");
  yield await run("deliver show", "api");
  Deno.removeSync(path);
  yield await run("deliver sync");
  yield await run("deliver check");
  yield await run("deliver remove", "api");
  yield await run("deliver presets");
}

async function observe(box: Box, command: CommandName, args: string[], stdin?: string) {
  const { touches } = await traced(box, args, stdin === undefined ? {} : { stdin });
  return { command, touches: plain(box, touches) };
}

async function traced(...[box, args, options]: Parameters<typeof traceRun>) {
  const found = await traceRun(box, args, options);
  if (found.ended.code === 0) return found;
  throw new Error(`rekey ${args.join(" ")} (${found.ended.code}): ${found.ended.stderr}`);
}

/** Starts it, asks for a bit of everything, and stops it. */
async function serving(box: Box, command: CommandName, args: string[], password?: string) {
  const folder = Deno.makeTempDirSync({ prefix: "rekey-trace-" });
  const output = join(folder, "trace");
  const flags = straceFlags(output).map((flag) => `'${flag}'`).join(" ");
  try {
    {
      // With -D it is the server that is started, and strace watches from aside.
      const before = `exec /usr/bin/strace -D ${flags} "$0" "$@"`;
      const NOTIFY_SOCKET = join(box.home, "named/notify");
      using _systemd = listenToNotices(NOTIFY_SOCKET);
      const env = args.length === 0 ? { NOTIFY_SOCKET } : {};
      await using server = await Serving.start(box, args, { before, env });
      if (password !== undefined) await askEverything(server, await box.token(), password);
      await server.stop();
    }
    return { command, touches: plain(box, touchesIn(await finished(output))) };
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function listenToNotices(path: string): Disposable {
  const socket = Deno.listenDatagram({ transport: "unixpacket", path });
  return {
    [Symbol.dispose]() {
      socket.close();
      Deno.removeSync(path);
    },
  };
}

async function askEverything(server: Serving, token: string, password: string): Promise<void> {
  for (const path of ["/", "/healthz", "/readyz", "/metrics", "/status.json", "/nothing"]) {
    await server.status(server.get(path));
  }
  const statuses = [
    await server.auth(token),
    await server.status(server.post("/verify", { token })),
    await server.status(server.post("/login", { name: "alice", password })),
    await server.status(server.post("/logout", {}, token)),
  ];
  if (statuses.join() !== "204,200,200,204") throw new Error(`serve answers ${statuses}`);
}

// strace ends after the server, and writes its last lines then.
async function finished(output: string): Promise<string> {
  for (let before = "";;) {
    await pause(100);
    const trace = Deno.readTextFileSync(output);
    if (trace !== "" && trace === before) return trace;
    before = trace;
  }
}

function plain(box: Box, touches: readonly Touch[]): Touch[] {
  const bus = /path=([^,]*)/.exec(box.env.DBUS_SESSION_BUS_ADDRESS ?? "")?.[1];
  const found = new Map<string, Touch>();
  for (const { how, what } of touches) {
    const name = what === bus ? "BUS" : what === REKEY ? "REKEY" : what.replace(box.home, "~")
      .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}/, "UUID")
      .replace(/[0-9a-f]{64}/, "SHA256")
      .replace(/agiworkforce-[\w-]{16}\.kek/, "agiworkforce-ID.kek")
      .replace(/^(127\.0\.0\.1):[1-9]\d*$/, "$1:PORT");
    found.set(`${how} ${name}`, { how, what: name });
  }
  return [...found.values()];
}
