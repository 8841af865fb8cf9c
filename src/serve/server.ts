import { within } from "../core/async.ts";
import type { Certificate } from "./certificate.ts";
import type { ServerContext } from "./context.ts";
import { reserve } from "./listener.ts";
import { SecretHost } from "./secret_host.ts";
import { Renewal } from "./certificate_watch.ts";
import { connect, type Port, type Remote } from "./rpc.ts";
import type { Settings } from "./settings.ts";
import type { RequestThread } from "./worker.ts";
import { SYSTEM } from "../system/system.ts";

const MAINTENANCE_MS = 1_000;

/** How long requests in flight may take at the end, in milliseconds. */
const STOP_MS = 10_000;

/**
 * Serves until it is told to stop; then what is in flight is answered.
 *
 * @throws {RekeyError} when it cannot listen.
 * @throws whatever a thread dies of: a bug.
 */
export async function serve(settings: Settings, around: ServerContext): Promise<void> {
  SYSTEM.serving.raiseFileLimit();
  const reserved = await reserve(settings.address);
  const server = new Server({ ...settings, address: reserved.address }, around);
  try {
    try {
      await server.load();
    } finally {
      reserved[Symbol.dispose]();
    }
    await server.start();
    await Promise.race([around.stopped, server.died, around.failed]);
  } finally {
    await server.stop();
  }
}

class Server {
  readonly #secretHost: SecretHost;
  readonly #workers: Worker[] = [];
  readonly threads: Remote<RequestThread>[] = [];
  readonly #timers: ReturnType<typeof setInterval>[] = [];
  readonly #death = Promise.withResolvers<never>();
  readonly #renewal: Renewal | undefined;
  #trouble: string | undefined;

  constructor(private readonly settings: Settings, private readonly around: ServerContext) {
    this.#secretHost = new SecretHost(settings, around, this);
    this.#death.promise.catch(() => {});
    const { certificate, remark, warn } = around;
    const take = (tls: Settings["tls"]) => this.#renew(tls);
    this.#renewal = certificate && new Renewal(certificate, { take, remark, warn });
  }

  /** Rejects when a thread has died. */
  get died(): Promise<never> {
    return this.#death.promise;
  }

  /** What it serves with now, if that is a certificate. */
  get certificate(): Certificate | undefined {
    return this.#renewal?.certificate;
  }

  /** Starts the threads; they do not listen yet. */
  async load(): Promise<void> {
    for (let n = 0; n < this.settings.workers; n++) this.#add();
    await this.#alive(Promise.all(this.threads.map((thread) => thread.ping())));
  }

  /** Begins to listen. */
  async start(): Promise<void> {
    const { settings, around } = this;
    const [first, ...others] = this.threads;
    await around.follower?.start();
    // One after the other: the first one finds out whether anybody can listen there.
    await this.#alive(first!.start(settings));
    await this.#alive(Promise.all(others.map((thread) => thread.start(settings))));
    around.onListening(settings.address);
    await this.#maintain();
    this.#every(MAINTENANCE_MS, () => this.#maintain());
    this.#every(MAINTENANCE_MS, () => this.#renewal?.look() ?? Promise.resolve());
    around.onReload(() => this.#reload());
    const { systemd } = around;
    if (systemd.watchdogMs !== undefined) {
      this.#every(systemd.watchdogMs, async () => {
        // A sign of life of the whole: each thread has to give its own.
        await Promise.all(this.threads.map((thread) => thread.ping()));
        systemd.notify("WATCHDOG=1");
      });
    }
    systemd.notify("READY=1");
  }

  async stop(): Promise<void> {
    this.around.systemd.notify("STOPPING=1");
    this.#timers.forEach(clearInterval);
    const ended = Promise.allSettled(this.threads.map((thread) => thread.stop()));
    await within(STOP_MS, Promise.race([ended, this.#death.promise.catch(() => {})]));
    this.#workers.forEach((worker) => worker.terminate());
    try {
      await this.around.follower?.stop();
    } finally {
      await this.#secretHost.maintain();
    }
  }

  #add(): void {
    const worker = this.around.makeWorker();
    worker.onerror = (event) => {
      event.preventDefault();
      this.#death.reject(new Error(`A thread died: ${event.message}`));
    };
    this.#workers.push(worker);
    this.threads.push(connect<RequestThread>(worker as Port, this.#secretHost));
  }

  // A thread that has died answers no more.
  #alive<T>(answer: Promise<T>): Promise<T> {
    return Promise.race([answer, this.died]);
  }

  #reload(): void {
    if (this.#renewal === undefined) {
      return this.around.remark("SIGHUP: there is no certificate to read again");
    }
    this.#renewal.look(true).catch(this.#death.reject);
  }

  // Each thread listens with the new one before any socket of the old one stops: there is no moment without.
  async #renew(tls: Settings["tls"]): Promise<void> {
    const { address } = this.settings;
    if (address.kind !== "tcp") return;
    const { listeningSockets, stopListening } = SYSTEM.serving;
    const old = listeningSockets(address.port);
    await this.#alive(Promise.all(this.threads.map((thread) => thread.renew(tls))));
    stopListening(old);
  }

  async #maintain(): Promise<void> {
    const trouble = await this.#secretHost.maintain();
    if (trouble !== this.#trouble) this.around.onTrouble(trouble);
    this.#trouble = trouble;
  }

  // One at a time, however long it takes.
  #every(milliseconds: number, task: () => Promise<void>): void {
    let running = false;
    this.#timers.push(setInterval(() => {
      if (running) return;
      running = true;
      task().catch(this.#death.reject).finally(() => running = false);
    }, milliseconds));
  }
}
