import { rfc3339 } from "../core/clock.ts";
import type { FleetFollower } from "../cluster/follower.ts";
import { prometheus } from "../http/meters.ts";
import { HERE } from "../system/here.ts";
import { type CertificateWatch, Renewal } from "./certificate_watch.ts";
import { reserve } from "./listener.ts";
import { expose } from "./measurements.ts";
import type { Address, Managers, Settings } from "./settings.ts";
import { SecretHost } from "./secret_host.ts";
import type { MainMethods, WorkerMethods } from "./protocol.ts";
import { type Port, Rpc } from "./rpc.ts";
import type { Systemd } from "./sockets.ts";

/** What the server needs of the program around it. */
export interface ServerContext {
  readonly managers: Managers;
  /** Starts a thread that has a `RequestThread` in it. */
  makeWorker(): Worker;
  /** Takes a line of the access log. */
  log(line: string): void;
  /** Told once it listens. */
  onListening(address: Address): void;
  /** Told what the operator should know. */
  warn(text: string): void;
  /** Told when the secret can no longer be had, and `undefined` when it can again. */
  onTrouble(code: string | undefined): void;
  /** Told what the operator has asked to hear. */
  remark(text: string): void;
  /** Watches the files of the certificate that it serves with, if any. */
  readonly certificate?: CertificateWatch | undefined;
  /** Calls back whenever the operator wants files to be read again. */
  onReload(reload: () => void): void;
  /** Keeps up with the machines that share the secret, if any can. */
  readonly follower?: Pick<FleetFollower, "start" | "lookNow" | "stop"> | undefined;
  readonly systemd: Systemd;
  /** Rejects at a mistake in rekey, outside of any thread. */
  readonly failed: Promise<never>;
  /** Settles when the server is to stop. */
  readonly stopped: Promise<void>;
}

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
  HERE.serving.raiseFileLimit();
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
  readonly #threads: Rpc<WorkerMethods>[] = [];
  readonly #timers: ReturnType<typeof setInterval>[] = [];
  readonly #death = Promise.withResolvers<never>();
  readonly #renewal: Renewal | undefined;
  #trouble: string | undefined;

  constructor(private readonly settings: Settings, private readonly around: ServerContext) {
    this.#secretHost = new SecretHost(around.managers, settings, around.warn);
    this.#death.promise.catch(() => {});
    const { certificate, remark, warn } = around;
    const take = (tls: Settings["tls"]) => this.#renew(tls);
    this.#renewal = certificate && new Renewal(certificate, { take, remark, warn });
  }

  /** Rejects when a thread has died. */
  get died(): Promise<never> {
    return this.#death.promise;
  }

  /** Starts the threads; they do not listen yet. */
  async load(): Promise<void> {
    for (let n = 0; n < this.settings.workers; n++) this.#add();
    await this.#alive(Promise.all(this.#threads.map((thread) => thread.call("ping"))));
  }

  /** Begins to listen. */
  async start(): Promise<void> {
    const { settings, around } = this;
    const [first, ...others] = this.#threads;
    await around.follower?.start();
    // One after the other: the first one finds out whether anybody can listen there.
    await this.#alive(first!.call("start", settings));
    await this.#alive(Promise.all(others.map((thread) => thread.call("start", settings))));
    around.onListening(settings.address);
    await this.#maintain();
    this.#every(MAINTENANCE_MS, () => this.#maintain());
    this.#every(MAINTENANCE_MS, () => this.#renewal?.look() ?? Promise.resolve());
    around.onReload(() => this.#reload());
    const { systemd } = around;
    if (systemd.watchdogMs !== undefined) {
      this.#every(systemd.watchdogMs, async () => {
        // A sign of life of the whole: each thread has to give its own.
        await Promise.all(this.#threads.map((thread) => thread.call("ping")));
        systemd.notify("WATCHDOG=1");
      });
    }
    systemd.notify("READY=1");
  }

  async stop(): Promise<void> {
    this.around.systemd.notify("STOPPING=1");
    this.#timers.forEach(clearInterval);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const deadline = new Promise((resolve) => timer = setTimeout(resolve, STOP_MS));
    const ended = Promise.allSettled(this.#threads.map((thread) => thread.call("stop")));
    await Promise.race([ended, deadline, this.#death.promise.catch(() => {})]);
    clearTimeout(timer);
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
    this.#threads.push(new Rpc<WorkerMethods>(worker as Port, this.#methods()));
  }

  // A thread that has died answers no more.
  #alive<T>(answer: Promise<T>): Promise<T> {
    return Promise.race([answer, this.died]);
  }

  #methods(): MainMethods {
    const secretHost = this.#secretHost;
    return {
      value: (version) => secretHost.value(version),
      login: (credentials) => secretHost.login(credentials),
      endSession: (verified) => secretHost.endSession(verified),
      rotate: ({ token, options }) => secretHost.rotate(token, options),
      status: async () => ({
        ...await secretHost.status(),
        certificate_expires_at: this.#certificateEnd(),
      }),
      metrics: () => this.#metrics(),
      listensAgain: () => {
        // For the thread that says so it is once more than needed, and does no harm.
        for (const thread of this.#threads) thread.call("listenAgain").catch(() => {});
      },
      cannotListen: (why) => this.around.warn(why),
      followNow: () => this.around.follower?.lookNow() ?? Promise.resolve(),
      clock: () => performance.now(),
      seen: ({ verdicts, lines }) => {
        const { secrets } = this.around.managers;
        verdicts.forEach((count, result) => secrets.noteVerdict(result, count));
        lines.forEach(this.around.log);
      },
    };
  }

  async #metrics(): Promise<string> {
    const threads = await Promise.all(this.#threads.map((thread) => thread.call("measured")));
    const { secrets } = this.around.managers;
    const { certificate } = this.#renewal ?? {};
    return await expose(await prometheus(), threads, secrets, this.settings, certificate);
  }

  #certificateEnd(): string | null {
    return this.#renewal === undefined ? null : rfc3339(this.#renewal.certificate.notAfter);
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
    const { listeningSockets, stopListening } = HERE.serving;
    const old = listeningSockets(address.port);
    await this.#alive(Promise.all(this.#threads.map((thread) => thread.call("renew", tls))));
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
