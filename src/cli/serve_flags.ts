import { resolve } from "node:path";
import { quoted, type RekeyError, usageError } from "../core/errors.ts";
import { numbered } from "../core/words.ts";
import { placeKey, realPlace } from "../files/real_place.ts";
import { LEAST_STALENESS_MS } from "../cluster/follower.ts";
import { SharedFreshness } from "../cluster/freshness.ts";
import { readCertificate } from "../serve/certificate.ts";
import { CertificateWatch } from "../serve/certificate_watch.ts";
import { checkScrapeToken } from "../serve/scrape_token.ts";
import { type Address, isLocal, type Settings } from "../serve/settings.ts";
import { PRIVATE_MODE } from "../serve/unix_socket.ts";
import { SYSTEM } from "../system/system.ts";
import { variable } from "./context.ts";
import { MOST_WORKERS } from "./flags/serve_values.ts";

/** Flags of `rekey serve`. Durations in seconds. */
export interface ServeFlags {
  readonly listen: string;
  readonly unix?: string[];
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
const MOST_BY_DEFAULT = 8;

/** The settings of a server. @throws {RekeyError} `usage` when the flags are not safe or contradict each other. */
export function settingsFrom(
  options: ServeFlags,
  version: string,
  { quiet, freshness, tls }: {
    quiet: boolean;
    freshness: SharedFreshness | undefined;
    tls: Settings["tls"];
  },
): Settings {
  const addresses = addressesFrom(options);
  if (!addresses.every(isLocal) && !(options.allowRemote && tls !== undefined)) throw tooOpen();
  if (options.metricsTokenFile !== undefined) checkScrapeToken(options.metricsTokenFile);
  return {
    addresses,
    workers: workersFor(options),
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

function tooOpen(): RekeyError {
  return usageError(
    "Cannot listen where other machines can reach it",
    "Give --allow-remote with --tls-cert and --tls-key, or put a proxy in front",
  );
}

/** How long tokens are accepted without contact to etcd. @throws {RekeyError} `usage` when that is too short. */
export function freshnessFor({ maxStaleness }: ServeFlags): SharedFreshness {
  if (maxStaleness * 1000 >= LEAST_STALENESS_MS) return new SharedFreshness(maxStaleness * 1000);
  throw usageError(
    "Cannot use --max-staleness: the time is too short",
    `No token would be accepted; give at least ${LEAST_STALENESS_MS / 1000}s`,
  );
}

function addressesFrom({ listen, unix, unixMode, unixGroup }: ServeFlags): Address[] {
  if (unix !== undefined) {
    if (!SYSTEM.serving.hasUnixSockets) throw noUnixSockets();
    refuseSamePlace(unix);
    const group = unixGroup === undefined ? undefined : groupFrom(unixGroup);
    const mode = unixMode ?? (group === undefined ? PRIVATE_MODE : SHARED_MODE);
    return unix.map((path) => ({ kind: "unix", path, mode, group }));
  }
  if (unixMode !== undefined || unixGroup !== undefined) {
    throw usageError(
      "Cannot use --unix-mode or --unix-group without --unix",
      "Name the socket with --unix",
    );
  }
  const [, hostname, port] = /^(\[[0-9a-fA-F:.]+\]|[\w.-]+):(\d{1,5})$/.exec(listen) ?? [];
  if (hostname !== undefined && Number(port) < 65_536) {
    return [{ kind: "tcp", hostname: hostname.replace(/[[\]]/g, ""), port: Number(port) }];
  }
  throw usageError(
    "Cannot use the address of --listen: it is not an address with a port",
    "Write it as 127.0.0.1:8700 or [::1]:8700",
  );
}

function refuseSamePlace(paths: readonly string[]): void {
  const places = paths.map((path) => placeKey(realPlace(resolve(path))));
  const again = paths.find((_, n) => places.indexOf(places[n]!) < n);
  if (again === undefined) return;
  throw usageError(
    `Cannot use --unix ${again}: it is the same socket as another one`,
    "Each request thread listens on a socket of its own: name another path",
  );
}

function noUnixSockets(): RekeyError {
  return usageError(
    "Cannot use --unix: rekey has no Unix sockets on this system",
    "Use --listen 127.0.0.1:8700",
  );
}

/** Ignored flags would make the operator believe that the socket uses TLS. @throws {RekeyError} `usage`. */
export function refuseRemoteSocket({ unix, tlsCert, tlsKey, allowRemote }: ServeFlags): void {
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
function workersFor({ workers, unix }: ServeFlags): number {
  if (unix !== undefined) return workersOn(unix, workers);
  if (!SYSTEM.serving.sharesPorts) return 1;
  return workers ?? Math.min(navigator.hardwareConcurrency, MOST_BY_DEFAULT);
}

function workersOn({ length }: readonly string[], workers = length): number {
  if (length > MOST_WORKERS) {
    throw usageError(
      `Cannot use ${length} Unix sockets: each has a thread, and there are at most ${MOST_WORKERS}`,
      "Give --unix once for each core",
    );
  }
  if (workers === length) return length;
  throw usageError(
    `Cannot use --workers ${workers} with ${numbered(length, "Unix socket")}: each has one thread`,
    "Give --unix once for each thread, and let the proxy divide its requests among the sockets",
  );
}

/** The files of the certificate, if there is one. @throws {RekeyError} `usage` with one of two, or a `tls_…` code. */
export function certificateFrom({ tlsCert, tlsKey }: ServeFlags): CertificateWatch | undefined {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert !== undefined && tlsKey !== undefined) {
    const files = { cert: tlsCert, key: tlsKey };
    return new CertificateWatch(files, readCertificate(files));
  }
  throw usageError("Cannot use TLS without both --tls-cert and --tls-key", "Name both files");
}
