import { must } from "../../../scripts/program.ts";
const NAMED = "rekey-";

// Test files that run at the same time are threads of one process.
const AT_ONCE = 4;

/**
 * A network namespace of its own behind two links, so that one machine can be cut off from it while another one is not.
 * Its addresses are this process's alone: of two links with the same ones one would get the other's packets.
 */
export class Network implements AsyncDisposable {
  private constructor(private readonly number: number) {}

  /** Makes it. @throws without the rights to make a namespace. */
  static async start(): Promise<Network> {
    await removeLeftOver();
    for (let number = 0;; number++) {
      const network = new Network(number);
      try {
        await run("ip", "netns", "add", network.#space);
      } catch (error) {
        if (number + 1 < AT_ONCE && /File exists/.test((error as Error).message)) continue;
        throw error;
      }
      await network.#connect();
      return network;
    }
  }

  get #space(): string {
    return `${NAMED}${Deno.pid}-${this.number}`;
  }

  /** What a program inside of it is started by. */
  get launch(): string[] {
    return ["ip", "netns", "exec", this.#space];
  }

  /** Its address by one of the two links. */
  address(link: 0 | 1): string {
    return this.#end(link, 2);
  }

  /** Takes a link down, or up again. */
  async link(link: 0 | 1, state: "up" | "down"): Promise<void> {
    await run("ip", "link", "set", this.#near(link), state);
  }

  #near(link: 0 | 1): string {
    return `rk${Deno.pid}n${this.number}${link}`;
  }

  #end(link: 0 | 1, end: 1 | 2): string {
    const at = (Deno.pid * AT_ONCE + this.number) % 8_192 * 8 + link * 4 + end;
    return `10.231.${at >> 8}.${at & 255}`;
  }

  async #connect(): Promise<void> {
    const inside = (...args: string[]) => run("ip", "-n", this.#space, ...args);
    for (const link of [0, 1] as const) {
      const [near, far] = [this.#near(link), `rk${Deno.pid}f${this.number}${link}`];
      await run("ip", "link", "add", near, "type", "veth", "peer", "name", far);
      await run("ip", "link", "set", far, "netns", this.#space);
      await run("ip", "addr", "add", `${this.#end(link, 1)}/30`, "dev", near);
      await inside("addr", "add", `${this.#end(link, 2)}/30`, "dev", far);
      await inside("link", "set", far, "up");
      await this.link(link, "up");
    }
    await inside("link", "set", "lo", "up");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run("ip", "netns", "del", this.#space);
    for (const link of [0, 1] as const) {
      // They go with the namespace, in a moment.
      await run("ip", "link", "del", this.#near(link)).catch(() => {});
    }
  }
}

/** What runs that were killed have left: namespaces stay, with what runs in them, and the links into them. */
async function removeLeftOver(): Promise<void> {
  for (const line of (await run("ip", "netns", "list")).split("\n")) {
    const [, space, pid] = new RegExp(`^(${NAMED}(\\d+)-\\d)\\b`).exec(line) ?? [];
    if (space === undefined || runs(pid!)) continue;
    const inside = (await run("ip", "netns", "pids", space)).split("\n").filter(Boolean);
    for (const one of inside) Deno.kill(Number(one), "SIGKILL");
    await run("ip", "netns", "del", space);
  }
}

function runs(pid: string): boolean {
  try {
    return Deno.statSync(`/proc/${pid}`).isDirectory;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function run(program: string, ...args: string[]): Promise<string> {
  // `ip` is where only root looks.
  return must(program, args, { env: { PATH: `${Deno.env.get("PATH")}:/usr/sbin` } });
}
