import { ownProgram } from "../../core/app.ts";
import {
  type Address,
  hostInUrl,
  issuerWarnings,
  namesMissing,
  type Settings,
} from "../../serve/settings.ts";
import { certificateWarnings } from "../../serve/certificate.ts";
import type { CertificateWatch } from "../../serve/certificate_watch.ts";
import { socketWarnings } from "../../serve/unix_socket.ts";
import { actorNow } from "../../serve/on_behalf.ts";
import { systemd } from "../../serve/systemd.ts";
import { serve } from "../../serve/server.ts";
import type { ServerContext } from "../../serve/server_context.ts";
import { AuthManager } from "../../auth/manager.ts";
import { Accounts } from "../../users/accounts.ts";
import type { SharedFreshness } from "../../cluster/freshness.ts";
import { SecretManager } from "../../secret/manager.ts";
import type { Environment } from "../../store/environment.ts";
import type { Installation } from "../../store/installation.ts";
import { keyringInProcess } from "../../store/keyring/addon_process.ts";
import { setUpSchedules } from "../schedule/traces.ts";
import { followFleet } from "../fleet_follower.ts";
import {
  type Context,
  environmentFrom,
  type GlobalOptions,
  loadCluster,
  usesEtcd,
  variable,
} from "../context.ts";
import { lenientStreams, Output } from "../output.ts";
import { LogSink } from "../log_sink.ts";
import { startRequestThread } from "../request_thread.ts";
import {
  certificateFrom,
  freshnessFor,
  refuseRemoteSocket,
  type ServeFlags,
  settingsFrom,
} from "../serve_flags.ts";
import { warnOfExposed } from "../exposed_inputs.ts";
import { leaveDeletedFolder } from "../../system/command_line.ts";
import { SYSTEM } from "../../system/system.ts";

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
  const environment = serversEnvironment(globals, output);
  const freshness = await usesEtcd(environment) ? freshnessFor(options) : undefined;
  const certificate = certificateFrom(options);
  if (options.tlsKey !== undefined) warnOfExposed(options.tlsKey, output);
  const settings = settingsFrom(options, version, {
    quiet: output.options.quiet,
    freshness,
    tls: certificate?.certificate.tls,
  });
  const secrets = new SecretManager(servedEnvironment(environment, freshness), loadCluster);
  // Fails if no secret exists; an unavailable one may come back.
  const { installation } = await secrets.open();
  const log = new LogSink(Deno.stdout);
  const parts = { settings, secrets, output, log, certificate, freshness, globals, hangUp };
  // However it ends, the log's last lines may say why.
  try {
    await serve(settings, contextOf({ ...parts, installation }));
  } finally {
    secrets.close();
    await log.flush(FLUSH_MS);
  }
}

/** What a server is made of. */
interface Parts {
  readonly settings: Settings;
  readonly secrets: SecretManager;
  readonly installation: Installation;
  readonly output: Output;
  readonly log: LogSink;
  readonly certificate: CertificateWatch | undefined;
  readonly freshness: SharedFreshness | undefined;
  readonly globals: GlobalOptions;
  readonly hangUp: EventTarget;
}

function contextOf(parts: Parts): ServerContext {
  const { settings, secrets, output, log, certificate, freshness, globals, hangUp } = parts;
  const failure = Promise.withResolvers<never>();
  // It may fail before it is awaited.
  failure.promise.catch(() => {});
  const following = { freshness, onBug: failure.reject, version: settings.version };
  return {
    managers: { secrets, auth: new AuthManager(secrets), accounts: new Accounts(secrets) },
    makeWorker: () => startRequestThread(globals),
    log: (line) => log.write(line),
    onListening: (addresses) => sayListening(addresses, parts),
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
    follower: freshness && followFleet(secrets, { ...following, freshness }, output),
    failed: failure.promise,
    systemd: systemd(variable, Deno.pid, (why) => output.warning(`systemd was not told: ${why}`)),
    stopped: stopSignal(),
  };
}

function sayListening(
  addresses: readonly Address[],
  { settings, installation, certificate, output }: Parts,
): void {
  for (const address of addresses) {
    const listening = shownAddress(address, settings);
    // The system may have chosen the port.
    output.resultToStderr({ listening }, [`listening on ${listening}`]);
  }
  // Sockets in one folder have the same warning.
  const warnings = new Set([
    ...addresses.flatMap((address) => namesMissing(settings, address)),
    ...issuerWarnings(settings.issuer, installation.policy.issuer),
    ...addresses.flatMap((address) => address.kind === "unix" ? socketWarnings(address) : []),
    ...certificate ? certificateWarnings(certificate.certificate, settings.hosts) : [],
  ]);
  warnings.forEach((text) => output.warning(text));
}

/** The environment from the flags; the keyring is used in another process. */
function serversEnvironment(globals: GlobalOptions, output: Output): Environment {
  // Resolved at the start: after an upgrade, the system reports the path as "… (deleted)".
  const program = ownProgram();
  if (program === undefined) return environmentFrom(globals, output);
  return environmentFrom(globals, output, () => keyringInProcess(() => startHelper(program)));
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
