import { isRekeyError, type RekeyError } from "../core/errors.ts";
import {
  type Answer,
  type Condition,
  errorOf,
  type KeyRange,
  type KeyValue,
  keyValues,
  noEtcd,
  type Operation,
  rangeOf,
  type Reply,
  replyOf,
  unanswered,
  unavailable,
  wantsLogin,
} from "./wire.ts";

/** How etcd is reached. */
export interface EtcdSettings {
  /** Origins of its members' client ports: `https://10.0.0.1:2379`. */
  readonly endpoints: readonly string[];
  /** Prefix of all keys; ends with a slash. */
  readonly prefix: string;
  /** PEM: the CA of the members' certificates, and the client certificate with its key. */
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** A user of etcd. Each login reads the password again; `password` throws `etcd_denied` when it cannot. */
  readonly user?: { readonly name: string; password(): string } | undefined;
}

/** Timeout of a request to a member, in milliseconds, when another one can be asked after it. */
const MEMBER_MS = 1_500;

/** Timeout of a call over all members, in milliseconds. */
const CALL_MS = 5_000;

/** The result of a transaction. */
interface TxnResult {
  /** What each read of the branch that ran found, in order. */
  readonly found: readonly (readonly KeyValue[])[];
}

/** What one member reports about itself. */
export interface MemberStatus {
  readonly endpoint: string;
  readonly version?: string;
  /** Bytes. */
  readonly size?: number;
  readonly leads?: boolean;
  /** Id of its cluster. */
  readonly cluster?: string;
  readonly errors?: readonly string[];
  /** Why it did not answer. */
  readonly trouble?: string;
}

/**
 * etcd's API, version 3, by the JSON gateway that every member serves on its client port. All reads are
 * linearizable: they see everything that was committed before they began, whichever member answers.
 *
 * Every method throws {@linkcode RekeyError} `etcd_unavailable`, `etcd_denied` or `etcd_failed`.
 */
export class EtcdClient {
  readonly #http: Deno.HttpClient | undefined;
  #first = 0;
  #lastMs = CALL_MS;
  #token: string | undefined;

  constructor(readonly settings: EtcdSettings) {
    const { ca, cert, key } = settings;
    if (ca === undefined && cert === undefined) return;
    this.#http = Deno.createHttpClient({
      ...ca === undefined ? {} : { caCerts: [ca] },
      ...cert === undefined || key === undefined ? {} : { cert, key },
    });
  }

  /** Waits no longer for the last member of a call, for who asks again soon anyway; in milliseconds. */
  answerWithin(milliseconds: number): void {
    this.#lastMs = milliseconds;
  }

  /** Reads a key, or all keys with this prefix. */
  async range(key: string, which: Pick<KeyRange, "all"> = {}): Promise<KeyValue[]> {
    return keyValues(await this.#call("kv/range", rangeOf(key, which)));
  }

  /**
   * Runs one transaction: `then` if all conditions hold, else `otherwise`.
   *
   * After `etcd_unavailable` the transaction may still have been committed.
   */
  async txn(
    when: readonly Condition[],
    then: readonly Operation[],
    otherwise: readonly Operation[] = [],
  ): Promise<TxnResult> {
    const body = { compare: when, success: then, failure: otherwise };
    const { succeeded, responses = [] } = await this.#call("kv/txn", body);
    // Without conditions, the response has no `succeeded`.
    const done = succeeded === true || when.length === 0 ? then : otherwise;
    if (!Array.isArray(responses) || responses.length !== done.length) throw noEtcd();
    const reads = responses.filter((_, n) => "request_range" in done[n]!);
    return { found: reads.map((part: Answer) => keyValues(part?.response_range)) };
  }

  /** Creates a lease that expires after so many seconds. Returns its id. */
  async grant(seconds: number): Promise<string> {
    return (await this.#call("lease/grant", { TTL: String(seconds) })).ID;
  }

  /** Renews a lease. Returns false when it has expired. */
  async keepAlive(id: string): Promise<boolean> {
    const { result } = await this.#call("lease/keepalive", { ID: id });
    return Number(result?.TTL ?? 0) > 0;
  }

  /** Revokes a lease, which deletes the keys that were written with it. */
  async revoke(id: string): Promise<void> {
    await this.#call("lease/revoke", { ID: id });
  }

  /**
   * Watches all keys with the prefix `key`. Calls `changed` when the watch begins, and after each write or deletion,
   * until the signal aborts or the connection ends.
   */
  async watch(key: string, changed: () => void, signal: AbortSignal): Promise<void> {
    const end = rangeOf(key, { all: true });
    const endpoint = this.settings.endpoints[this.#first]!;
    try {
      const response = await this.#fetch(endpoint, "watch", { create_request: end }, signal);
      if (!response.ok) {
        await response.body?.cancel();
        throw unavailable("it refuses to watch for changes");
      }
      const text = (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream());
      // Every part means a change, except the message that ends the watch.
      for await (const part of text) {
        if (part.includes('"canceled":true')) throw unavailable("it has ended the watch");
        changed();
      }
    } catch (error) {
      if (isRekeyError(error)) throw error;
      throw unavailable("the connection ended", error);
    }
  }

  /** Asks each member about itself. */
  status(): Promise<MemberStatus[]> {
    return Promise.all(this.settings.endpoints.map(async (endpoint) => {
      try {
        const answer = await this.#ask(endpoint, "maintenance/status", {});
        return {
          endpoint,
          version: answer.version,
          size: Number(answer.dbSize),
          leads: answer.leader === answer.header.member_id,
          cluster: answer.header.cluster_id,
          errors: answer.errors ?? [],
        };
      } catch (error) {
        if (!isRekeyError(error)) throw error;
        return { endpoint, trouble: error.message.replace(/^Cannot use etcd: /, "") };
      }
    }));
  }

  // Starts with the member that answered last.
  async #call(path: string, body: unknown): Promise<Answer> {
    const { endpoints } = this.settings;
    const end = performance.now() + CALL_MS;
    let trouble: RekeyError | undefined;
    for (let n = 0; n < endpoints.length && performance.now() < end; n++) {
      const index = (this.#first + n) % endpoints.length;
      // After the last one there is nothing to be gained by giving up early.
      const isLast = n === endpoints.length - 1;
      const left = Math.min(end - performance.now(), this.#lastMs);
      const timeoutMs = isLast ? Math.max(left, MEMBER_MS) : MEMBER_MS;
      try {
        const answer = await this.#ask(endpoints[index]!, path, body, timeoutMs);
        this.#first = index;
        return answer;
      } catch (error) {
        // An earlier member may have committed the transaction: the first error counts.
        if (!isRekeyError(error, "etcd_unavailable")) throw trouble ?? error;
        trouble = error;
      }
    }
    throw trouble ?? unavailable("no member is named");
  }

  async #ask(
    endpoint: string,
    path: string,
    body: unknown,
    timeoutMs = MEMBER_MS,
  ): Promise<Answer> {
    // For the login too.
    const signal = AbortSignal.timeout(timeoutMs);
    try {
      if (this.settings.user !== undefined) this.#token ??= await this.#login(endpoint, signal);
      let reply = await this.#exchange(endpoint, path, body, signal);
      if (this.settings.user !== undefined && "refusal" in reply && wantsLogin(reply.refusal)) {
        this.#token = await this.#login(endpoint, signal);
        reply = await this.#exchange(endpoint, path, body, signal);
      }
      if ("result" in reply) return reply.result;
      throw errorOf(reply.refusal);
    } catch (error) {
      // The next call logs in again.
      if (isRekeyError(error, "etcd_denied")) this.#token = undefined;
      throw error;
    }
  }

  async #login(endpoint: string, signal: AbortSignal): Promise<string> {
    const { name, password } = this.settings.user!;
    this.#token = undefined;
    const body = { name, password: password() };
    const reply = await this.#exchange(endpoint, "auth/authenticate", body, signal);
    if ("result" in reply) return reply.result.token;
    throw errorOf(reply.refusal);
  }

  async #exchange(
    endpoint: string,
    path: string,
    body: unknown,
    signal: AbortSignal,
  ): Promise<Reply> {
    try {
      const response = await this.#fetch(endpoint, path, body, signal);
      return replyOf(path, response.status, await response.text());
    } catch (error) {
      if (isRekeyError(error)) throw error;
      throw unanswered(error);
    }
  }

  #fetch(endpoint: string, path: string, body: unknown, signal: AbortSignal): Promise<Response> {
    const init: RequestInit & { client?: Deno.HttpClient } = {
      method: "POST",
      body: JSON.stringify(body),
      headers: this.#token === undefined ? {} : { authorization: this.#token },
      redirect: "error",
      signal,
      ...this.#http === undefined ? {} : { client: this.#http },
    };
    return fetch(`${endpoint}/v3/${path}`, init);
  }
}

/** Whether the members belong to more than one cluster. */
export function isSplit(members: readonly MemberStatus[]): boolean {
  return new Set(members.flatMap(({ cluster = [] }) => cluster)).size > 1;
}
