import { pause, until } from "../../timing/pause.ts";
import { run, start } from "../../../../scripts/program.ts";

/** A display that no one sees, and someone who says yes to each of KeePassXC's questions on it. */
export class Desk implements AsyncDisposable {
  #isManned = true;
  #answering: Promise<void> | undefined;

  private constructor(readonly display: string, private readonly server: Deno.ChildProcess) {}

  static async start(): Promise<Desk> {
    // The server chooses a number that is free, and tells it.
    const server = start(
      "Xvfb",
      ["-displayfd", "1", "-screen", "0", "1024x768x24", "-nolisten", "tcp"],
      { stdout: "piped" },
    );
    let number = "";
    for await (const text of server.stdout.pipeThrough(new TextDecoderStream())) {
      number += text;
      if (number.endsWith("\n")) break;
    }
    const desk = new Desk(`:${number.trim()}`, server);
    await until(async () => (await desk.#tell("getmouselocation")) !== "", {
      every: 50,
      otherwise: "Waited for: a display",
    });
    desk.#answering = desk.#answer();
    return desk;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isManned = false;
    await this.#answering;
    this.server.kill("SIGKILL");
    await this.server.status;
  }

  async #answer(): Promise<void> {
    while (this.#isManned) {
      const dialogs = await this.#tell("search", "--onlyvisible", "--name", "Access Request");
      for (const dialog of dialogs.split("\n").filter((id) => id !== "")) {
        await this.#tell("windowfocus", dialog, "key", "--window", dialog, "Return");
      }
      await pause(100);
    }
  }

  async #tell(...args: string[]): Promise<string> {
    const env = { DISPLAY: this.display, PATH: "/usr/bin:/bin" };
    return (await run("xdotool", args, { clearEnv: true, env })).stdout.trim();
  }
}
