import { isRekeyError, type RekeyError } from "../core/errors.ts";
import {
  type Answer,
  type Condition,
  type KeyRange,
  type KeyValue,
  keyValues,
  type Operation,
  rangeOf,
  type Reply,
  replyOf,
} from "./wire.ts";
import { errorOf, noEtcd, unanswered, unavailable, wantsLogin } from "./errors.ts";

/** How etcd is reached. */
export interface EtcdSettings {
  /** Origins of its members' client ports: `https://10.0.0.1:2379`. */
  readonly endpoints: readonly string[];
  /** Under which all keys are, with a slash at its end. */
  readonly prefix: string;
  /** PEM texts: the authority of its certificates, and ours with its key. */
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** A user of etcd's own; the password is read again whenever it is needed, and `etcd_denied` thrown if it cannot be. */
  readonly user?: { readonly name: string; password(): string } | undefined;
}

/** How long one member may take to answer, in milliseconds: then the next one is asked. */
const MEMBER_MS = 1_500;

/** How long a call may take altogether, in milliseconds. */
const CALL_MS = 5_000;

/** How a transaction ended. */
interface TxnResult {
  /** What each of its reads has found, in order. */
  readonly found: readonly (readonly KeyValue[])[];
}

/** What one member says of itself. */
export interface MemberStatus {
  readonly endpoint: string;
  readonly version?: string;
  /** Bytes. */
  readonly size?: number;
  readonly leads?: boolean;
  /** Which etcd it is a member of. */
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
  #token: string | undefined;

  constructor(readonly settings: EtcdSettings) {
    const { ca, cert, key } = settings;
    if (ca === undefined && cert === undefined) return;
    this.#http = Deno.createHttpClient({
      ...ca === undefined ? {} : { caCerts: [ca] },
      ...cert === undefined || key === undefined ? {} : { cert, key },
    });
  }

  /** A key, or all that begin with it. */
  async range(key: string, which: Pick<KeyRange, "all"> = {}): Promise<KeyValue[]> {
    return keyValues(await this.#call("kv/range", rangeOf(key, which)));
  }

  /**
   * One transaction: what `then` says if all conditions hold, else what `otherwise` says.
   *
   * When it throws `etcd_unavailable`, it may have been carried out all the same.
   */
  async txn(
    when: readonly Condition[],
    then: readonly Operation[],
    otherwise: readonly Operation[] = [],
  ): Promise<TxnResult> {
    const body = { compare: when, success: then, failure: otherwise };
    const { succeeded, responses = [] } = await this.#call("kv/txn", body);
    // Without conditions there is no other way.
    const done = succeeded === true || when.length === 0 ? then : otherwise;
    if (!Array.isArray(responses) || responses.length !== done.length) throw noEtcd();
    const reads = responses.filter((_, n) => "request_range" in done[n]!);
    return { found: reads.map((part: Answer) => keyValues(part?.response_range)) };
  }

  /** Makes a lease that ends by itself after so many seconds, and answers its id. */
  async grant(seconds: number): Promise<string> {
    return (await this.#call("lease/grant", { TTL: String(seconds) })).ID;
  }

  /** Lets a lease begin anew; answers false when it has ended. */
  async keepAlive(id: string): Promise<boolean> {
    const { result } = await this.#call("lease/keepalive", { ID: id });
    return Number(result?.TTL ?? 0) > 0;
  }

  /** Ends a lease: what was written with it is deleted. */
  async revoke(id: string): Promise<void> {
    await this.#call("lease/revoke", { ID: id });
  }

  /**
   * Calls `changed` when it begins to look, and whenever a key that begins with `key` is written or deleted,
   * until the signal or the connection ends.
   */
  async watch(key: string, changed: () => void, signal: AbortSignal): Promise<void> {
    const end = rangeOf(key, { all: true });
    const endpoint = this.settings.endpoints[this.#first]!;
    try {
      const response = await this.#fetch(endpoint, "watch", { create_request: end }, signal);
      if (!response.ok) {
        await response.body?.cancel();
        throw unavailable("it tells of no changes");
      }
      const text = (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream());
      // Each part is a line; but for its end it does not matter what it says.
      for await (const part of text) {
        if (part.includes('"canceled":true')) throw unavailable("it tells of no more changes");
        changed();
      }
    } catch (error) {
      if (isRekeyError(error)) throw error;
      throw unavailable("its connection has ended", error);
    }
  }

  /** What each member says of itself. */
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

  // The member that answered last is asked first.
  async #call(path: string, body: unknown): Promise<Answer> {
    const { endpoints } = this.settings;
    const end = performance.now() + CALL_MS;
    let trouble: RekeyError | undefined;
    for (let n = 0; n < endpoints.length && performance.now() < end; n++) {
      const index = (this.#first + n) % endpoints.length;
      try {
        const answer = await this.#ask(endpoints[index]!, path, body);
        this.#first = index;
        return answer;
      } catch (error) {
        // A transaction that was sent to another member before may have been carried out.
        if (!isRekeyError(error, "etcd_unavailable")) throw trouble ?? error;
        trouble = error;
      }
    }
    throw trouble ?? unavailable("no member is named");
  }

  async #ask(endpoint: string, path: string, body: unknown): Promise<Answer> {
    try {
      if (this.settings.user !== undefined) this.#token ??= await this.#login(endpoint);
      let reply = await this.#exchange(endpoint, path, body);
      if (this.settings.user !== undefined && "refusal" in reply && wantsLogin(reply.refusal)) {
        this.#token = await this.#login(endpoint);
        reply = await this.#exchange(endpoint, path, body);
      }
      if ("result" in reply) return reply.result;
      throw errorOf(reply.refusal);
    } catch (error) {
      // Whatever it was that was not taken: the next call logs in anew.
      if (isRekeyError(error, "etcd_denied")) this.#token = undefined;
      throw error;
    }
  }

  async #login(endpoint: string): Promise<string> {
    const { name, password } = this.settings.user!;
    this.#token = undefined;
    const body = { name, password: password() };
    const reply = await this.#exchange(endpoint, "auth/authenticate", body);
    if ("result" in reply) return reply.result.token;
    throw errorOf(reply.refusal);
  }

  async #exchange(endpoint: string, path: string, body: unknown): Promise<Reply> {
    try {
      const response = await this.#fetch(endpoint, path, body, AbortSignal.timeout(MEMBER_MS));
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

/** Whether members are named of more than one etcd. */
export function isSplit(members: readonly MemberStatus[]): boolean {
  return new Set(members.flatMap(({ cluster = [] }) => cluster)).size > 1;
}
