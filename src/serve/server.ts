import { within } from "../core/async.ts";
import { RekeyError } from "../core/errors.ts";
import { numbered } from "../core/words.ts";
import type { Listening } from "../system/processes.ts";
import { SYSTEM } from "../system/system.ts";
import { AuditStream } from "./audit_stream.ts";
import type { Certificate } from "./certificate.ts";
import { ServedDeliveries } from "./deliveries.ts";
import { reserve } from "./listener.ts";
import { Pruning } from "./pruning.ts";
import { collectGarbage, QUIET_MS } from "./quiet_times.ts";
import { SecretHost } from "./secret_host.ts";
import { Renewal } from "./certificate_watch.ts";
import { connect, type Port, type Remote } from "./rpc.ts";
import type { Settings } from "./settings.ts";
import type { RequestThread } from "./request_thread.ts";
import type { ServerContext } from "./server_context.ts";

const MAINTENANCE_MS = 1_000;

/** How often old rows of the audit log are looked for, in milliseconds. */
const PRUNE_MS = 600_000;

/** How long requests in flight may delay the end, in milliseconds. */
const STOP_MS = 10_000;

/**
 * Serves until it is told to stop, then answers the requests in flight.
 *
 * @throws {RekeyError} when it cannot listen.
 * @throws the error that killed a thread: a bug.
 */
export async function serve(settings: Settings, context: ServerContext): Promise<void> {
  SYSTEM.serving.raiseFileLimit();
  mustHaveFiles(settings.workers);
  const reserved = [];
  for (const address of settings.addresses) reserved.push(await reserve(address));
  const addresses = reserved.map(({ address }) => address);
  const server = new Server({ ...settings, addresses }, context);
  try {
    try {
      await server.load();
    } finally {
      for (const one of reserved) one[Symbol.dispose]();
    }
    await server.start();
    await Promise.race([context.stopped, server.died, context.failed]);
  } finally {
    await server.stop();
  }
}

// A thread has eight open, and what the main thread has is in the first number. The rest is for connections.
const OWN_FILES = 32;
const FILES_OF_THREAD = 12;

// The runtime would end without a message of its own when a thread cannot be started.
function mustHaveFiles(threads: number): void {
  const least = OWN_FILES + threads * FILES_OF_THREAD;
  const lack = SYSTEM.processes.lackOfFiles(least);
  if (lack === undefined) return;
  throw new RekeyError(
    "failed",
    `Cannot serve: ${lack.why}, and with ${numbered(threads, "request thread")} ` +
      `it needs ${least + lack.inherited}`,
    { hint: "Raise the limit (`ulimit -n`; LimitNOFILE= in a unit), or give fewer --workers" },
  );
}

class Server {
  readonly #secretHost: SecretHost;
  readonly #workers: Worker[] = [];
  readonly threads: Remote<RequestThread>[] = [];
  readonly deliveries: ServedDeliveries;
  #audit: AuditStream | undefined;
  readonly #timers: ReturnType<typeof setInterval>[] = [];
  readonly #death = Promise.withResolvers<never>();
  readonly #renewal: Renewal | undefined;
  #listening: Listening | undefined;
  #trouble: string | undefined;

  constructor(private readonly settings: Settings, private readonly context: ServerContext) {
    this.deliveries = new ServedDeliveries(context);
    this.#secretHost = new SecretHost(settings, context, this);
    this.#death.promise.catch(() => {});
    const { certificate, remark, warn } = context;
    const take = (tls: Settings["tls"]) => this.#renew(tls);
    this.#renewal = certificate && new Renewal(certificate, { take, remark, warn });
  }

  /** Rejects when a thread has died. */
  get died(): Promise<never> {
    return this.#death.promise;
  }

  /** The certificate in use, if there is one. */
  get certificate(): Certificate | undefined {
    return this.#renewal?.certificate;
  }

  /** Starts the threads, which do not listen yet. */
  async load(): Promise<void> {
    if (this.#renewal !== undefined) this.#listening = await SYSTEM.serving.listening();
    for (let n = 0; n < this.settings.workers; n++) this.#add();
    await this.#alive(Promise.all(this.threads.map((thread) => thread.ping())));
  }

  /** Starts to listen. */
  async start(): Promise<void> {
    const { settings, settings: { addresses }, context } = this;
    await context.follower?.start();
    const { managers: { secrets: { environment } }, warn, remark } = context;
    this.#audit = new AuditStream({ environment, warn, remark, onBug: this.#death.reject });
    // One after another: when one finds out that its address cannot be used, no other is about to listen.
    for (const [n, thread] of this.threads.entries()) {
      await this.#alive(thread.start(settings, addresses[n % addresses.length]!));
    }
    context.onListening(addresses);
    await this.#maintain();
    this.#every(MAINTENANCE_MS, () => this.#maintain());
    const deliver = this.#every(MAINTENANCE_MS, () => this.#deliver());
    context.follower?.onChange(deliver);
    this.#every(MAINTENANCE_MS, () => this.#renewal?.look() ?? Promise.resolve());
    const pruning = new Pruning(context.managers.secrets, context);
    const prune = this.#every(PRUNE_MS, () => pruning.run());
    prune();
    context.onReload(() => this.#reload());
    SYSTEM.giveBackMemory();
    this.#every(QUIET_MS, () => this.#tidy());
    const { systemd } = context;
    if (systemd.watchdogMs !== undefined) {
      this.#every(systemd.watchdogMs, async () => {
        // The server is alive if every thread answers.
        await Promise.all(this.threads.map((thread) => thread.ping()));
        systemd.notify("WATCHDOG=1");
      });
    }
    systemd.notify("READY=1");
  }

  async stop(): Promise<void> {
    this.context.systemd.notify("STOPPING=1");
    this.#timers.forEach(clearInterval);
    const ended = Promise.allSettled(this.threads.map((thread) => thread.stop()));
    await within(STOP_MS, Promise.race([ended, this.#death.promise.catch(() => {})]));
    this.#workers.forEach((worker) => worker.terminate());
    try {
      await this.context.follower?.stop();
    } finally {
      await this.#secretHost.stop();
      await this.#audit?.stop();
    }
  }

  #add(): void {
    const worker = this.context.makeWorker();
    worker.onerror = (event) => {
      event.preventDefault();
      this.#death.reject(new Error(`A thread died: ${event.message}`));
    };
    this.#workers.push(worker);
    this.threads.push(connect<RequestThread>(worker as Port, this.#secretHost));
  }

  // A dead thread never answers.
  #alive<T>(answer: Promise<T>): Promise<T> {
    return Promise.race([answer, this.died]);
  }

  #reload(): void {
    if (this.#renewal === undefined) {
      return this.context.remark("SIGHUP: there is no certificate to read again");
    }
    this.#renewal.look(true).catch(this.#death.reject);
  }

  // Every thread listens with the new certificate before the old sockets stop, so that no connection is refused.
  async #renew(tls: Settings["tls"]): Promise<void> {
    const [address] = this.settings.addresses;
    if (address?.kind !== "tcp") return;
    const old = this.#listening?.listeningSockets(address.port) ?? [];
    await this.#alive(Promise.all(this.threads.map((thread) => thread.renew(tls))));
    this.#listening?.stopListening(old);
  }

  async #maintain(): Promise<void> {
    const trouble = await this.#secretHost.maintain();
    if (trouble !== this.#trouble) this.context.onTrouble(trouble);
    this.#trouble = trouble;
  }

  // One thread after another: the others go on answering.
  async #tidy(): Promise<void> {
    let isTidied = false;
    for (const thread of this.threads) isTidied = await thread.tidy() || isTidied;
    if (!isTidied) return;
    collectGarbage();
    SYSTEM.giveBackMemory();
  }

  async #deliver(): Promise<void> {
    await this.deliveries.tick();
    await this.context.follower?.report();
  }

  /** Runs a task again and again, never twice at the same time. @returns what runs it now. */
  #every(milliseconds: number, task: () => Promise<void>): () => void {
    let running = false;
    const run = () => {
      if (running) return;
      running = true;
      task().catch(this.#death.reject).finally(() => running = false);
    };
    this.#timers.push(setInterval(run, milliseconds));
    return run;
  }
}
