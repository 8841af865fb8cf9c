import type { WalletBox } from "./wallet_box.ts";
import { until } from "../../timing/pause.ts";
import { start } from "../../../../scripts/program.ts";

/** Counts the questions to its user that a wallet is asked to show while `work` is done, by what goes over the bus. */
export async function questionsDuring(box: WalletBox, work: () => Promise<void>): Promise<number> {
  await using monitor = await Monitor.start(box);
  await work();
  return await monitor.count();
}

const ASKED = /^method call .*member=Unlock$/gm;

class Monitor implements AsyncDisposable {
  #text = "";
  readonly #read: Promise<void>;

  private constructor(private readonly child: Deno.ChildProcess) {
    this.#read = this.#collect();
  }

  static async start(box: WalletBox): Promise<Monitor> {
    const child = start("dbus-monitor", [
      ...["--address", box.env["DBUS_SESSION_BUS_ADDRESS"]!],
      "type=method_call,interface=org.freedesktop.Secret.Service",
    ], { stdout: "piped" });
    const monitor = new Monitor(child);
    // It watches when it sees a call of ours.
    await until(async () => {
      await box.accounts();
      return monitor.#text.includes("member=SearchItems");
    }, { every: 50, otherwise: "Waited for: dbus-monitor watches" });
    return monitor;
  }

  /** How many there were so far. */
  async count(): Promise<number> {
    this.child.kill("SIGTERM");
    await this.#read;
    return [...this.#text.matchAll(ASKED)].length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.child.kill("SIGKILL");
    } catch (error) {
      // It was ended by counting.
      if (!(error instanceof TypeError)) throw error;
    }
    await this.child.status;
    await this.#read;
  }

  async #collect(): Promise<void> {
    const texts = this.child.stdout.pipeThrough(new TextDecoderStream());
    for await (const text of texts) this.#text += text;
  }
}
