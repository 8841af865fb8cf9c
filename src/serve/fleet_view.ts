import { deliveriesBehind, nameOf } from "../cluster/member_names.ts";
import { type FleetHealth, lagging, listedOnceFollowed } from "../cluster/members.ts";
import type { Member } from "../secret/backend.ts";
import type { Installation } from "../store/installation.ts";
import { knownFleet } from "../store/sqlite/meta.ts";
import { KeptResult } from "./kept_result.ts";

const KEPT_MS = 2_000;

/** The servers that share the secret, as this one last saw them, without asking etcd. */
export interface SeenFleet {
  /** The last change of the shared state that this machine had when they were listed. */
  readonly change: number;
  readonly members: SeenMember[];
}

/** A running server that shares the secret. */
interface SeenMember {
  readonly name: string;
  readonly version: number;
  readonly change: number;
  readonly rekey: string;
  readonly followed: boolean;
  /** How long this server has seen it behind, in seconds; `null` while it is not. */
  readonly lag_seconds: number | null;
  /** Programs of its machine that have not followed, for people; `null` when all have. */
  readonly deliveries_behind: string | null;
}

type ListedServers = Omit<FleetHealth, "etcd">;

// A server follows within milliseconds.
const FOLLOWS_MS = 1_000;

/** The servers once they had time to follow, and the change that they should have followed. */
async function serversOf(installation: Installation): Promise<ListedServers> {
  const change = knownFleet(installation.meta)?.change ?? 0;
  return { change, servers: await listedOnceFollowed(installation, change, FOLLOWS_MS) };
}

/** Keeps the list of the fleet's servers, read from etcd at most every two seconds, while someone asks. */
export class FleetView {
  readonly #servers: KeptResult<[Installation], ListedServers>;
  readonly #behindSince = new Map<string, number>();

  /** @param list lists the servers, and what they should have followed. */
  constructor(list: (installation: Installation) => Promise<ListedServers> = serversOf) {
    this.#servers = new KeptResult(KEPT_MS, list);
  }

  /** The last list; empty until the first one is there. Waits for nothing. @returns `null` when nothing is shared. */
  last(installation: Installation): SeenFleet | null {
    const known = knownFleet(installation.meta);
    if (known === undefined) return null;
    // Without etcd the last list stays; the findings and the staleness tell why.
    const listed = this.#servers.last(installation) ?? { change: known.change, servers: [] };
    // A later change is not for servers that were listed before it.
    const behind = lagging(listed);
    const { change, servers } = listed;
    return { change, members: servers.map((one) => this.#seen(one, behind.includes(one))) };
  }

  #seen(member: Member, isBehind: boolean): SeenMember {
    const { id, version, change, rekey } = member;
    const now = performance.now();
    if (!isBehind) this.#behindSince.delete(id);
    else if (!this.#behindSince.has(id)) this.#behindSince.set(id, now);
    const since = this.#behindSince.get(id);
    return {
      name: nameOf(member),
      version,
      change,
      rekey,
      followed: !isBehind,
      lag_seconds: since === undefined ? null : Math.floor((now - since) / 1000),
      deliveries_behind: deliveriesBehind(member) ?? null,
    };
  }
}
