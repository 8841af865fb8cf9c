import { ownProgram } from "../../core/app.ts";
import { quoted, type RekeyError, usageError } from "../../core/errors.ts";
import {
  type Address,
  hostInUrl,
  isLocal,
  issuerWarnings,
  namesMissing,
  type Settings,
} from "../../serve/settings.ts";
import { certificateWarnings, readCertificate } from "../../serve/certificate.ts";
import { CertificateWatch } from "../../serve/certificate_watch.ts";
import { PRIVATE_MODE, socketWarnings } from "../../serve/unix_socket.ts";
import { actorNow } from "../../serve/on_behalf.ts";
import { checkScrapeToken } from "../../serve/scrape_token.ts";
import { systemd } from "../../serve/systemd.ts";
import { serve } from "../../serve/server.ts";
import { AuthManager } from "../../auth/manager.ts";
import { Accounts } from "../../users/accounts.ts";
import { LEAST_STALENESS_MS } from "../../cluster/follower.ts";
import { SharedFreshness } from "../../cluster/freshness.ts";
import { CLUSTER } from "../../cluster/backend.ts";
import { SecretManager } from "../../secret/manager.ts";
import type { Environment } from "../../store/environment.ts";
import { keyringInProcess } from "../../store/keyring/addon_process.ts";
import { setUpSchedules } from "../schedule/traces.ts";
import { followFleet } from "../fleet_follower.ts";
import { type Context, environmentFrom, usesEtcd, variable } from "../context.ts";
import { lenientStreams, LogSink, Output } from "../output.ts";
import { startRequestThread } from "../request_thread.ts";
import { leaveDeletedFolder } from "../../system/command_line.ts";
import { SYSTEM } from "../../system/system.ts";

/** Flags of `rekey serve`. Durations in seconds. */
export interface ServeFlags {
  readonly listen: string;
  readonly unix?: string;
  readonly unixMode?: number;
  readonly unixGroup?: string;
  readonly workers?: number;
  readonly host?: string[];
  readonly allowRemote?: boolean;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly metricsTokenFile?: string;
  readonly trustForwarded?: boolean;
  readonly issuer?: string;
  readonly ttl: number;
  readonly maxAge: number;
  readonly accessLog: boolean;
  readonly maxStaleness: number;
}

// More threads do not raise the throughput, which the kernel then limits.
const MOST_WORKERS = 8;

// Other writers take an instant; a longer wait would block the main thread.
const WAIT_MS = 250;

// How long an unread access log may delay the end.
const FLUSH_MS = 1_000;

/** Serves verification until it is told to stop. */
export async function runServer(options: ServeFlags, context: Context): Promise<void> {
  const { globals, version } = context;
  refuseRemoteSocket(options);
  const hangUp = reloadSignal();
  SYSTEM.serving.disableCoreDumps();
  forgetRuntimesAddress();
  const output = new Output(context.output.options, lenientStreams);
  // Resolved at the start: after an upgrade, the system reports the path as "… (deleted)".
  const program = ownProgram();
  const environment = environmentFrom(
    globals,
    program === undefined ? undefined : () => keyringInProcess(() => startHelper(program)),
  );
  const freshness = usesEtcd(environment) ? freshnessFor(options) : undefined;
  const certificate = certificateFrom(options);
  const settings = settingsFrom(options, version, {
    quiet: output.options.quiet,
    freshness,
    tls: certificate?.certificate.tls,
  });
  const secrets = new SecretManager(servedEnvironment(environment, freshness), CLUSTER);
  const failure = Promise.withResolvers<never>();
  // It may fail before it is awaited.
  failure.promise.catch(() => {});
  // Fails if no secret exists; an unavailable one may come back.
  const { installation } = await secrets.open();
  const log = new LogSink(Deno.stdout);
  const serving = serve(settings, {
    managers: { secrets, auth: new AuthManager(secrets), accounts: new Accounts(secrets) },
    makeWorker: () => startRequestThread(globals),
    log: (line) => log.write(line),
    onListening: (address) => {
      output.remark(`listening on ${shownAddress(address, settings)}`);
      const warnings = [
        ...namesMissing(settings, address),
        ...issuerWarnings(settings.issuer, installation.policy.issuer),
        ...address.kind === "unix" ? socketWarnings(address) : [],
        ...certificate ? certificateWarnings(certificate.certificate, settings.hosts) : [],
      ];
      warnings.forEach((text) => output.warning(text));
    },
    warn: (text) => output.warning(text),
    remark: (text) => output.remark(text),
    certificate,
    doctor: {
      variable,
      flags: "",
      schedules: () => setUpSchedules(secrets.environment),
      onProgress: () => {},
    },
    onReload: (reload) => hangUp.addEventListener("change", reload),
    onTrouble: (code) =>
      output.warning(code === undefined ? "the secret is available again" : `no secret: ${code}`),
    follower: freshness &&
      followFleet(secrets, { freshness, onBug: failure.reject, version }, output),
    failed: failure.promise,
    systemd: systemd(variable, Deno.pid, (why) => output.warning(`systemd was not told: ${why}`)),
    stopped: stopSignal(),
  });
  // However it ends, the log's last lines may say why.
  try {
    await serving;
  } finally {
    secrets.close();
    await log.flush(FLUSH_MS);
  }
}

/** A server's environment: rows that a request causes name the subject of its token. */
function servedEnvironment(environment: Environment, freshness: SharedFreshness | undefined) {
  const { actor } = environment;
  return {
    ...environment,
    waitMs: WAIT_MS,
    freshness,
    get actor() {
      return actorNow(actor);
    },
  };
}

function shownAddress(address: Address, { tls }: Settings): string {
  if (address.kind === "unix") return address.path;
  return `${tls === undefined ? "http" : "https"}://${hostInUrl(address)}:${address.port}`;
}

// The runtime would listen on this variable's address, bypassing the checks of --listen.
function forgetRuntimesAddress(): void {
  Deno.env.delete("DENO_SERVE_ADDRESS");
}

/** Starts the same program to talk to the keyring. It ends with this one, however that ends. */
function startHelper(program: string): Deno.ChildProcess {
  leaveDeletedFolder();
  const helper = new Deno.Command(program, {
    args: ["keyring-helper"],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const group = SYSTEM.programs.group(helper);
  helper.status.then(() => group.kill());
  return helper;
}

function settingsFrom(
  options: ServeFlags,
  version: string,
  { quiet, freshness, tls }: {
    quiet: boolean;
    freshness: SharedFreshness | undefined;
    tls: Settings["tls"];
  },
): Settings {
  const address = addressFrom(options);
  if (!isLocal(address) && !(options.allowRemote && tls !== undefined)) {
    throw usageError(
      "Cannot listen where other machines can reach it",
      "Give --allow-remote with --tls-cert and --tls-key, or put a proxy in front",
    );
  }
  if (options.metricsTokenFile !== undefined) checkScrapeToken(options.metricsTokenFile);
  return {
    address,
    workers: workersFor(options, address),
    hosts: options.host ?? [],
    trustForwarded: options.trustForwarded ?? false,
    issuer: options.issuer,
    tls,
    metricsTokenFile: options.metricsTokenFile,
    sessionSeconds: options.ttl,
    maxAgeSeconds: options.maxAge,
    accessLog: options.accessLog && !quiet,
    ...freshness === undefined
      ? {}
      : { freshness: { buffer: freshness.buffer, maxStalenessMs: freshness.maxStalenessMs } },
    debug: variable("REKEY_DEBUG") !== undefined,
    version,
  };
}

function freshnessFor({ maxStaleness }: ServeFlags): SharedFreshness {
  if (maxStaleness * 1000 >= LEAST_STALENESS_MS) return new SharedFreshness(maxStaleness * 1000);
  throw usageError(
    "Cannot use --max-staleness: the time is too short",
    `No token would be accepted; give at least ${LEAST_STALENESS_MS / 1000}s`,
  );
}

function addressFrom({ listen, unix, unixMode, unixGroup }: ServeFlags): Address {
  if (unix !== undefined) {
    if (!SYSTEM.serving.hasUnixSockets) throw noUnixSockets();
    const group = unixGroup === undefined ? undefined : groupFrom(unixGroup);
    const mode = unixMode ?? (group === undefined ? PRIVATE_MODE : SHARED_MODE);
    return { kind: "unix", path: unix, mode, group };
  }
  if (unixMode !== undefined || unixGroup !== undefined) {
    throw usageError(
      "Cannot use --unix-mode or --unix-group without --unix",
      "Name the socket with --unix",
    );
  }
  const [, hostname, port] = /^(\[[0-9a-fA-F:.]+\]|[\w.-]+):(\d{1,5})$/.exec(listen) ?? [];
  if (hostname !== undefined && Number(port) < 65_536) {
    return { kind: "tcp", hostname: hostname.replace(/[[\]]/g, ""), port: Number(port) };
  }
  throw usageError(
    "Cannot use the address of --listen: it is not an address with a port",
    "Write it as 127.0.0.1:8700 or [::1]:8700",
  );
}

function noUnixSockets(): RekeyError {
  return usageError(
    "Cannot use --unix: rekey has no Unix sockets on this system",
    "Use --listen 127.0.0.1:8700",
  );
}

// Ignored flags would make the operator believe that the socket uses TLS.
function refuseRemoteSocket({ unix, tlsCert, tlsKey, allowRemote }: ServeFlags): void {
  if (unix === undefined || (tlsCert ?? tlsKey ?? allowRemote) === undefined) return;
  throw usageError(
    "Cannot use --tls-cert, --tls-key or --allow-remote with --unix",
    "A Unix socket is this machine's own and speaks plain HTTP: leave them out, or use --listen",
  );
}

// Clients need read and write access to connect.
const SHARED_MODE = 0o660;

function groupFrom(name: string): number {
  const group = SYSTEM.owners?.groupId(name);
  if (group !== undefined) return group;
  throw usageError(
    `Cannot use --unix-group: there is no group ${quoted(name)}`,
    "Name a group of this machine, or its number",
  );
}

// A Unix socket cannot be shared between threads, and elsewhere a port is shared without being balanced.
function workersFor({ workers }: ServeFlags, address: Address): number {
  if (address.kind === "unix" || !SYSTEM.serving.sharesPorts) return 1;
  return workers ?? Math.min(navigator.hardwareConcurrency, MOST_WORKERS);
}

function certificateFrom({ tlsCert, tlsKey }: ServeFlags): CertificateWatch | undefined {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert !== undefined && tlsKey !== undefined) {
    const files = { cert: tlsCert, key: tlsKey };
    return new CertificateWatch(files, readCertificate(files));
  }
  throw usageError("Cannot use TLS without both --tls-cert and --tls-key", "Name both files");
}

// SIGHUP reloads, as with other servers. It never ends this one, although a closing terminal sends it too.
function reloadSignal(): EventTarget {
  const asked = new EventTarget();
  const signal = SYSTEM.processes.reloadSignal;
  if (signal === undefined) return asked;
  SYSTEM.processes.listen(signal, () => asked.dispatchEvent(new Event("change")));
  return asked;
}

function stopSignal(): Promise<void> {
  const { stopSignals, reloadSignal } = SYSTEM.processes;
  const signals = stopSignals.filter((signal) => signal !== reloadSignal);
  return new Promise((resolve) => {
    for (const signal of signals) SYSTEM.processes.listen(signal, resolve);
  });
}
