import type { ZodType } from "zod";
import type { VerifyPolicy } from "../jwt/policy.ts";
import type { Verified } from "../jwt/verifier.ts";
import type { MaybeAsync } from "../core/async.ts";
import type { ServedSet } from "../secret/public_set.ts";
import type { HostOperations } from "./host_operations.ts";
import type { Names } from "./host_names.ts";

/** What route handlers use. */
export interface Services {
  /** Verifies a token and counts the result. May throw synchronously. */
  verify(token: string, policy?: VerifyPolicy): MaybeAsync<Verified>;
  /** The same for the bearer token of a request. What is not one bearer token does not count as verified. */
  verifyBearer(head: Pick<RequestHead, "headers">, policy?: VerifyPolicy): MaybeAsync<Verified>;
  /** @throws {RekeyError} when the secret is unavailable. */
  ready(): Promise<void>;
  /** @throws {RekeyError} when one of the keys is unavailable. */
  publicKeys(): MaybeAsync<ServedSet>;
  /** Whether a bearer token is the one of `--metrics-token-file`, which reads metrics and status and does nothing else. */
  isScraper(token: string): boolean;
  readonly secretHost: HostOperations;
  readonly names: Names;
  /** Whether other machines can connect. */
  readonly remote: boolean;
  /** Whether to take the client's address from `X-Forwarded-For`. */
  readonly trustForwarded: boolean;
}

/** What a request begins with. */
export type RequestHead = Pick<Request, "method" | "url" | "headers">;

/** One request. */
export interface Call extends Services, RequestHead {
  readonly request: Request;
  /** The peer's IP address; `undefined` on a Unix socket. */
  readonly address: string | undefined;
}

/** Bodies and queries of all routes. */
export type Schemas = typeof import("./schemas.ts");

/** Name of a schema. What makes them is loaded when one is used: most servers only answer proxies. */
export type SchemaName = {
  [N in keyof Schemas]: Schemas[N] extends ZodType ? N : never;
}[keyof Schemas];

/** Name of the schema of a query. */
export type QueryName = Extract<SchemaName, `${string}Query`>;

/** A response of a route, for the OpenAPI document. */
export interface ResponseSpec {
  readonly description: string;
  readonly schema?: SchemaName;
  /** Default `application/json`. */
  readonly type?: string;
}

/** A route. The OpenAPI document is generated from the table of them. */
export interface Route {
  readonly method: "GET" | "POST" | "ANY";
  readonly path: string;
  readonly summary: string;
  readonly body?: { readonly schema: SchemaName; readonly type: string; readonly optional?: true };
  /** Its query parameters; `refused`: reject a query, which would have no effect. */
  readonly query?: QueryName | "refused";
  readonly answers: Readonly<Record<number, ResponseSpec>>;
  /** Whether a bearer token is always required, or one with a scope if other machines can connect. */
  readonly bearer?: "always" | {
    readonly remoteScope: string;
    /** Answers the holder of the token of `--metrics-token-file`; without it the token counts as any other text. */
    readonly scraped?: Handler;
  };
  /** `Host` and `Origin` are not checked: proxies forward those of their clients, and public keys are for everyone. */
  readonly anySite?: true;
  /**
   * Its responses are long enough for compression, which the runtime does for clients that accept it, as browsers do. To
   * compress a short one, such as an error, takes longer than everything else, so all others say `no-transform` (RFC 9111
   * §5.2.2.6).
   */
  readonly compressed?: true;
  readonly handler: Handler;
}

type Handler = (call: Call) => MaybeAsync<Response>;
