import assert from "node:assert/strict";
import { join } from "node:path";
import { start } from "../../../scripts/program.ts";
import { type Box, REKEY } from "../process/box.ts";
import { until } from "../timing/pause.ts";
import { withVerifier } from "./told_verifier.ts";
import type { Verifier } from "./verifier.ts";

/** A program whose reload hangs when it is told to, and commands that wait for it. */
export class HangingProgram implements AsyncDisposable {
  #running: Deno.ChildProcess | undefined;
  #awaited: number | undefined;

  private constructor(
    private readonly box: Box,
    readonly verifier: Verifier,
    private readonly file: string,
  ) {}

  static async start(box: Box, name = "api"): Promise<HangingProgram> {
    const file = join(box.home, `${name}.hang`);
    const verifier = await withVerifier(box, { name, takes: 0, hangsBy: file });
    return new HangingProgram(box, verifier, file);
  }

  /** Starts a command, and waits until the reload hangs in it; later ones do not. */
  async hang(...args: string[]): Promise<Deno.ChildProcess> {
    const streams = { stdout: "piped", stderr: "piped" } as const;
    const command = () => start(REKEY, args, { ...this.box.surroundings(), ...streams });
    await this.hangIn(() => this.#running = command());
    return this.#running!;
  }

  /** The same for anything else that reloads the program. @param begin begins it. */
  async hangIn(begin: () => unknown): Promise<void> {
    Deno.writeTextFileSync(this.file, "");
    begin();
    await until(() => Deno.readTextFileSync(this.file).endsWith("\n"));
    this.#awaited = Number(Deno.readTextFileSync(this.file));
  }

  /** Has later reloads end. @returns the process that this one waits for. */
  letGo(): number {
    Deno.removeSync(this.file);
    return this.#awaited!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    endIfThere(() => this.#running?.kill("SIGKILL"));
    if (this.#awaited !== undefined) endIfThere(() => Deno.kill(this.#awaited!, "SIGKILL"));
    await this.verifier.stop();
  }
}

function endIfThere(end: () => void): void {
  try {
    end();
  } catch (error) {
    assert.ok(error instanceof TypeError || error instanceof Deno.errors.NotFound);
  }
}
