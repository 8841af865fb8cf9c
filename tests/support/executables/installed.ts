import assert from "node:assert/strict";
import { join } from "node:path";
import { Serving } from "../http/serving.ts";
import { Running } from "../process/running.ts";
import type { Box, Ended } from "../process/box.ts";

/** Paths of the executables between which an upgrade goes. */
export interface Binaries {
  readonly older: string;
  readonly newer: string;
}

/** A rekey in the home folder of a box, as an operator has it: what it is replaced with has the same path. */
export class Installed {
  readonly program: string;

  constructor(readonly box: Box, binary: string) {
    this.program = join(box.home, "rekey");
    this.install(binary);
  }

  /** Replaces the file in one step, as an installer does. */
  install(binary: string): void {
    Deno.copyFileSync(binary, `${this.program}.new`);
    Deno.renameSync(`${this.program}.new`, this.program);
  }

  run(...args: string[]): Promise<Ended> {
    return this.box.exec(this.program, args);
  }

  /** Runs a command that has to succeed, and answers what it prints. */
  async must(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(...args);
    assert.equal(code, 0, `rekey ${args.join(" ")}: ${stderr}`);
    return stdout.trim();
  }

  /** The same, with `--json`. */
  // deno-lint-ignore no-explicit-any
  async json(...args: string[]): Promise<any> {
    return JSON.parse(await this.must(...args, "--json"));
  }

  token(...more: string[]): Promise<string> {
    return this.must("issue", "--sub", "alice", "--quiet", ...more);
  }

  serve(): Promise<Serving> {
    return Serving.start(this.box, ["--workers", "1"], { rekey: [this.program] });
  }

  exec(program: string[], flags: string[]): Promise<Running> {
    return Running.start(this.box, program, { flags, rekey: [this.program] });
  }
}
