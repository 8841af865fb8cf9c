import { deliveriesBehind, nameOf } from "../cluster/member_names.ts";
import { lagging, listMembers } from "../cluster/members.ts";
import type { Member } from "../secret/backend.ts";
import type { Installation } from "../store/installation.ts";
import { knownFleet } from "../store/sqlite/meta.ts";
import { KeptResult } from "./kept_result.ts";

const KEPT_MS = 2_000;

/** The servers that share the secret, as this one last saw them, without asking etcd. */
export interface SeenFleet {
  /** The last change of the shared state that this machine has. */
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

/** Keeps the list of the fleet's servers, read from etcd at most every two seconds, while someone asks. */
export class FleetView {
  readonly #members = new KeptResult(KEPT_MS, listMembers);
  readonly #behindSince = new Map<string, number>();

  /** The last list; empty until the first one is there. Waits for nothing. @returns `null` when nothing is shared. */
  last(installation: Installation): SeenFleet | null {
    const known = knownFleet(installation.meta);
    if (known === undefined) return null;
    // Without etcd the last list stays; the findings and the staleness tell why.
    const servers = this.#members.last(installation) ?? [];
    const { change } = known;
    const behind = lagging({ change, servers, etcd: [] });
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
