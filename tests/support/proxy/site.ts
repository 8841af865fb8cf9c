import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { Box } from "../process/box.ts";
import { type Answer, type Asking, type Proxy, type Reached, Upstream } from "./proxies.ts";
import type { Kind } from "./proxy_kinds.ts";
import { Serving } from "../http/serving.ts";

const SERVE = ["--host", "app.example.com", "--trust-forwarded"];

/** A proxy, rekey and an application behind it. */
export class Site implements AsyncDisposable {
  readonly upstream = new Upstream();
  serving!: Serving;
  proxy!: Proxy;
  readonly #args: readonly string[];

  private constructor(readonly box: Box, args: readonly string[]) {
    this.#args = args;
  }

  static async open(kind: Kind, prepare?: (box: Box) => Promise<void>): Promise<Site> {
    const box = new Box();
    const sockets = Array.from(
      { length: kind.sockets ?? 0 },
      (_, n) => join(box.home, `${n}.sock`),
    );
    const site = new Site(box, [...SERVE, ...sockets.flatMap((path) => ["--unix", path])]);
    try {
      if (prepare === undefined) assert.equal((await box.run(["init"])).code, 0);
      else await prepare(box);
      site.serving = await Serving.start(box, [...site.#args]);
      const where = sockets.length > 0
        ? { rekey: "", sockets }
        : { rekey: new URL(site.serving.url).host };
      site.proxy = await kind.start(box, { ...where, upstream: site.upstream.address });
      return site;
    } catch (error) {
      await site[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Ends rekey and starts it again where it was. */
  async stopRekey(): Promise<() => Promise<void>> {
    const { port } = this.serving.url === "" ? { port: "" } : new URL(this.serving.url);
    const start = Date.now();
    assert.equal((await this.serving.stop()).code, 0);
    assert.ok(Date.now() - start < 5_000, "idle connections of a proxy hold it up");
    return async () => {
      const listen = port === "" ? [] : ["--listen", `127.0.0.1:${port}`];
      this.serving = await Serving.start(this.box, [...this.#args, ...listen]);
    };
  }

  get(token?: string, { headers = [], ...more }: Asking = {}): Promise<Answer> {
    const bearer: [string, string][] = token === undefined
      ? []
      : [["Authorization", `Bearer ${token}`]];
    return this.proxy.ask("/orders?page=2", { ...more, headers: [...bearer, ...headers] });
  }

  /** What reached the application, once the request got through. */
  async passes(asking: Promise<Answer>): Promise<Reached> {
    const before = this.upstream.reached.length;
    const { status, body } = await asking;
    assert.equal(status, 200, this.proxy.stderr);
    assert.equal(this.upstream.reached.length, before + 1);
    return JSON.parse(body);
  }

  /** The answer of a request that must not get through. */
  async refused(asking: Promise<Answer>, ...statuses: number[]): Promise<Answer> {
    const before = this.upstream.reached.length;
    const answer = await asking;
    assert.ok(statuses.includes(answer.status), `${answer.status} ${this.proxy.stderr}`);
    assert.equal(this.upstream.reached.length, before, "it reached the application");
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy?.[Symbol.asyncDispose]();
    await this.serving?.[Symbol.asyncDispose]();
    await this.upstream[Symbol.asyncDispose]();
    this.box[Symbol.dispose]();
  }
}

/** Headers by which a client says itself who it is. */
export const FORGED: [string, string][] = [
  ["X-Auth-Subject", "root"],
  ["X-Auth-Claims", Buffer.from('{"sub":"root"}').toString("base64url")],
  ["x-auth-subject", "admin"],
  ["X_Auth_Subject", "root"],
];
