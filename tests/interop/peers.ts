import { join } from "node:path";
import { Box, type Ended, type RunOptions } from "../support/process/box.ts";

/** What HMAC is keyed with, as in `rekey init --key-form`. */
export type Form = "text" | "raw";

/** A secret's base64 text, and whether the library is to have that or the bytes in it. */
export interface Key {
  readonly key: string;
  readonly form: Form;
}

/** A JWT library of another language, behind a script that signs and verifies with it. */
export interface Peer {
  readonly name: string;
  /** What must be installed for it. */
  readonly needs: string;
  /** Exits 0 where that is installed. */
  readonly probe: readonly string[];
  /** The script and, unless it is an executable, what runs it. */
  readonly run: readonly string[];
  readonly forms: readonly Form[];
  /** Makes in the {@linkcode Workshop} what `run` needs. */
  readonly build?: (workshop: Workshop) => Promise<Ended>;
}

const source = (file: string) => join(import.meta.dirname!, "peers", file);

/** The peers, by language. */
export const PEERS: readonly Peer[] = [
  {
    name: "PyJWT",
    needs: "python3-jwt",
    probe: ["python3", "-c", "import jwt"],
    run: ["python3", source("pyjwt.py")],
    forms: ["text", "raw"],
  },
  {
    name: "ruby-jwt",
    needs: "ruby ruby-jwt",
    probe: ["ruby", "-e", "require 'jwt'"],
    run: ["ruby", source("ruby_jwt.rb")],
    forms: ["text", "raw"],
  },
  {
    name: "Crypt::JWT",
    needs: "libcrypt-jwt-perl",
    probe: ["perl", "-MCrypt::JWT", "-e", "1"],
    run: ["perl", source("crypt_jwt.pl")],
    forms: ["text", "raw"],
  },
  {
    name: "libjwt",
    needs: "gcc libc6-dev libjwt-dev libjansson-dev",
    probe: ["gcc", "-E", "-include", "jwt.h", "-include", "jansson.h", "-x", "c", "/dev/null"],
    run: ["libjwt"],
    // It takes its key as bytes, so that `raw` would test no more of it than our own base64 in C.
    forms: ["text"],
    build: (workshop) =>
      workshop.exec("gcc", [
        ...["-std=c99", "-Wall", "-Werror", "-o", "libjwt", source("libjwt.c")],
        ...["-ljwt", "-ljansson"],
      ]),
  },
  {
    name: "golang-jwt",
    needs: "golang-go golang-github-golang-jwt-jwt-dev",
    probe: ["go", "list", "github.com/golang-jwt/jwt"],
    run: ["golang_jwt"],
    forms: ["text", "raw"],
    build: (workshop) =>
      workshop.exec("go", ["build", "-o", "golang_jwt", source("golang_jwt.go")]),
  },
  {
    name: "jsonwebtoken",
    needs: "nodejs npm",
    probe: ["npm", "--version"],
    run: ["node", source("jsonwebtoken.cjs")],
    forms: ["text", "raw"],
    build: (workshop) => workshop.npmInstall("jsonwebtoken@9"),
  },
];

// Where Debian and npm put the sources that `go` and `node` look for.
const LIBRARIES = {
  GO111MODULE: "off",
  GOPATH: "/usr/share/gocode",
  GOTOOLCHAIN: "local",
  NODE_PATH: "node_modules",
};

/** Where the peers are built and run. There is no session bus: a key reaches them by stdin or not. */
export class Workshop extends Box {
  readonly #built = new Map<Peer, Promise<void>>();

  // Debian's programs come first: its libraries are for its own interpreters.
  override exec(program: string, args: string[], options: RunOptions = {}): Promise<Ended> {
    return super.exec(program, args, { ...options, env: { ...this.variables(), ...options.env } });
  }

  /** Where programs and libraries are found. */
  variables(): Record<string, string> {
    return { ...LIBRARIES, PATH: `${this.home}:/usr/bin:/bin:${Deno.env.get("PATH")}` };
  }

  /** Whether the peer's library is on this machine. */
  async has({ probe: [program, ...args] }: Peer): Promise<boolean> {
    try {
      return (await this.exec(program!, args)).code === 0;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    }
  }

  /** Installs a package for node, with the npm settings of whoever runs the tests. */
  npmInstall(name: string): Promise<Ended> {
    const quiet = ["--ignore-scripts", "--no-audit", "--no-fund"];
    const args = ["install", "--prefix", this.home, ...quiet, name];
    return this.exec("npm", args, { env: Deno.env.toObject() });
  }

  /** The peer's token with those claims; some can add to its header. */
  async sign(peer: Peer, alg: string, key: Key, claims: unknown, header?: object): Promise<string> {
    const question = { ...key, claims, ...header === undefined ? {} : { header } };
    const { code, stdout, stderr } = await this.#ask(peer, ["sign", alg], question);
    if (code !== 0) throw new Error(`${peer.name} cannot sign: ${stderr}`);
    return stdout.trim();
  }

  /** What the peer says of a token: its claims, `undefined` when it refuses it, or how it broke. */
  async verify(peer: Peer, alg: string, key: Key, token: string): Promise<unknown> {
    const { code, stdout, stderr } = await this.#ask(peer, ["verify", alg], { ...key, token });
    if (code === 0) return JSON.parse(stdout);
    // Exit 1 is no answer by itself: some languages have it for any breakdown.
    const refused = code === 1 && stderr.startsWith("refused: ");
    return refused ? undefined : `${peer.name} broke (${code}): ${stderr}`;
  }

  async #ask(peer: Peer, args: string[], question: unknown): Promise<Ended> {
    if (!this.#built.has(peer)) this.#built.set(peer, this.#build(peer));
    await this.#built.get(peer);
    const [program, ...before] = peer.run;
    return this.exec(program!, [...before, ...args], { stdin: JSON.stringify(question) });
  }

  async #build(peer: Peer): Promise<void> {
    const ended = await peer.build?.(this);
    if (ended === undefined || ended.code === 0) return;
    throw new Error(`${peer.name} cannot be built: ${ended.stdout}${ended.stderr}`);
  }
}
