import { userInfo } from "node:os";
import { kill } from "../kill.ts";
import type { ProcessControl } from "../processes.ts";
import { account } from "./account.ts";
import { windowsIdentities } from "./identity.ts";
import { systemFolder } from "./kernel.ts";
import { cmd, cmdWord } from "./shell.ts";

/** Processes as Windows has them. */
export const windowsProcesses: ProcessControl = {
  begin() {},
  heed: (signal, take) => Deno.addSignalListener(signal, take),
  shell: cmd,
  shellToStderr: cmd,
  quoted: cmdWord,
  // The console's: Ctrl-C, Ctrl-Break and its closing; and the end of the session.
  stopping: ["SIGINT", "SIGBREAK", "SIGHUP", "SIGTERM"],
  reloading: undefined,
  endTree,
  identities: windowsIdentities,
  account: () => account() ?? userInfo().username,
};

async function endTree(child: Deno.ChildProcess): Promise<void> {
  const taskkill = `${systemFolder()}\\taskkill.exe`;
  const args = ["/T", "/F", "/PID", String(child.pid)];
  await new Deno.Command(taskkill, { args, stdout: "null", stderr: "null" }).output();
  kill(child, "SIGKILL");
}
