import { start } from "../../../scripts/program.ts";
/** A folder of this machine, or a file, that a {@linkcode Machine} has too: from where, to which path in its image. */
export type Shared = readonly [from: string, to: string];

// Mounts belong to a namespace of the machine's own, and its processes end with the first of them: nothing can be left
// behind, also when whoever started it is killed. The first one ends when its standard input does.
const BOOT = `
  image=$1; shift
  mount -t proc none "$image/proc"
  mount --bind /dev "$image/dev"
  mount -t tmpfs none "$image/tmp"
  while [ $# -gt 0 ]; do
    mount --rbind "$1" "$image/$2"
    shift 2
  done
  echo ready
  read -r _ || :
`;

// The folder is one of the image, which chroot would leave; whoever kills the first process kills the program.
const RUN = 'cd "$0" && exec "$@"';

/** An image with its own mounts and processes. */
export class Machine implements AsyncDisposable {
  private constructor(readonly image: string, private readonly process: Deno.ChildProcess) {}

  /** @param shared in the order in which they are mounted. @throws {Error} when something cannot be. */
  static async boot(image: string, shared: readonly Shared[] = []): Promise<Machine> {
    const process = start("unshare", [
      ...["--mount", "--pid", "--fork", "--kill-child=KILL", "sh", "-ec", BOOT, "sh", image],
      ...shared.flat(),
    ], { stdin: "piped", stdout: "piped", stderr: "piped" });
    const reader = process.stdout.getReader();
    const { done } = await reader.read();
    reader.releaseLock();
    if (!done) return new Machine(image, process);
    throw new Error(`Cannot boot ${image}: ${await new Response(process.stderr).text()}`);
  }

  /** The command line, for this machine, of a program in the image that is started in a folder of it. */
  line(folder: string, program: string, ...args: string[]): string[] {
    const spaces = `/proc/${this.process.pid}/ns`;
    return [
      "/usr/bin/nsenter",
      ...[`--mount=${spaces}/mnt`, `--pid=${spaces}/pid_for_children`],
      ...["/usr/bin/setpriv", "--pdeathsig", "KILL", "/usr/sbin/chroot", this.image],
      ...["/bin/sh", "-c", RUN, folder, program, ...args],
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process.stdin.close();
    await this.process.stdout.cancel();
    await this.process.stderr.cancel();
    await this.process.status;
  }
}
