import { join } from "node:path";
import { start } from "../../scripts/program.ts";
import type { Workshop } from "./peers.ts";

/** A library that fetches public keys by itself, behind a script: a line in is a token, a line out its word on it. */
export interface SetVerifier {
  readonly name: string;
  /** The program, and its arguments: the set's URL and the seconds for which the library may keep it. */
  readonly run: (url: string, seconds: number) => readonly string[];
  /**
   * When it fetches the set although it knows the kid of each token: when the time is over, or never. Then a retired key
   * goes when a token names a kid that it does not know.
   */
  readonly refreshes: "in time" | "for an unknown kid only";
  /** Makes in the workshop what `run` needs. */
  readonly build?: (workshop: Workshop) => Promise<unknown>;
}

const source = (file: string) => join(import.meta.dirname!, "verifiers", file);

// No unknown kid makes jose fetch again so soon: it must know the next key before a token has it.
const JOSE_COOLDOWN_SECONDS = 3_600;

/** The libraries, by language. */
export const SET_VERIFIERS: readonly SetVerifier[] = [
  {
    name: "jose",
    run: (
      url,
      seconds,
    ) => ["node", source("jose.cjs"), url, `${seconds}`, `${JOSE_COOLDOWN_SECONDS}`],
    refreshes: "in time",
    build: (workshop) => workshop.npmInstall("jose@6.2.17"),
  },
  {
    name: "jwks-rsa with jsonwebtoken",
    run: (url, seconds) => ["node", source("jwks_rsa.cjs"), url, `${seconds}`],
    refreshes: "in time",
    build: async (workshop) => {
      await workshop.npmInstall("jwks-rsa@4.1.0");
      await workshop.npmInstall("jsonwebtoken@9");
    },
  },
  {
    name: "PyJWT",
    run: (url, seconds) => ["python3", source("pyjwt.py"), url, `${seconds}`],
    refreshes: "in time",
  },
  {
    name: "ruby-jwt",
    run: (url, seconds) => ["ruby", source("ruby_jwt.rb"), url, `${seconds}`],
    refreshes: "for an unknown kid only",
  },
  {
    name: "go-oidc",
    run: (url) => ["go_oidc", url],
    refreshes: "for an unknown kid only",
    build: (workshop) => workshop.exec("go", ["build", "-o", "go_oidc", source("go_oidc.go")]),
  },
];

/** A {@linkcode SetVerifier} that runs. */
export class RunningVerifier implements AsyncDisposable {
  #said = "";
  readonly #reader: ReadableStreamDefaultReader<string>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;

  private constructor(private readonly process: Deno.ChildProcess) {
    this.#reader = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
    this.#writer = process.stdin.getWriter();
  }

  static async start(workshop: Workshop, verifier: SetVerifier, url: string, seconds: number) {
    await verifier.build?.(workshop);
    const [program, ...args] = verifier.run(url, seconds);
    const where = workshop.surroundings({ env: workshop.variables() });
    const streams = { stdin: "piped", stdout: "piped", stderr: "inherit" } as const;
    return new RunningVerifier(start("env", [program!, ...args], { ...where, ...streams }));
  }

  /** Its word on a token: `accepted`, or why not. */
  async answer(token: string): Promise<string> {
    await this.#writer.write(new TextEncoder().encode(`${token}\n`));
    while (!this.#said.includes("\n")) {
      const { value, done } = await this.#reader.read();
      if (done) throw new Error("The verifier has ended");
      this.#said += value;
    }
    const [line, ...others] = this.#said.split("\n");
    this.#said = others.join("\n");
    return line!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.close();
    await this.#reader.cancel();
    await this.process.status;
  }
}
