import type * as z from "../libraries/zod.ts";
import type { VerifyPolicy } from "../jwt/policy.ts";
import type { Verified } from "../jwt/verifier.ts";
import type { MaybeAsync } from "../core/async.ts";
import type { HostOperations } from "./host_operations.ts";
import type { Names } from "./host_names.ts";
import { auth, authForEnvoy } from "./routes/auth.ts";
import { healthz, metrics, openapi, page, readyz, status } from "./routes/page.ts";
import { introspect, verdict, verify } from "./routes/verify.ts";
import { login, logout, session } from "./routes/session.ts";
import { rotate } from "./routes/rotate.ts";

/** What handlers work with. */
export interface Services {
  /** Verifies a token and counts the verdict. A refusal may be thrown at once. */
  verify(token: string, policy?: VerifyPolicy): MaybeAsync<Verified>;
  /** @throws {RekeyError} when the secret cannot be had. */
  ready(): Promise<void>;
  readonly secretHost: HostOperations;
  readonly names: Names;
  /** Whether it listens where other machines may reach it. */
  readonly remote: boolean;
  /** Whether a proxy in front says the client's address. */
  readonly trustForwarded: boolean;
}

/** One request. */
export interface Call extends Services {
  readonly request: Request;
  /** The peer's address; none for a Unix socket. */
  readonly address: string | undefined;
}

/** What a route answers with one status. */
export interface ResponseSpec {
  readonly description: string;
  readonly schema?: z.ZodType;
  /** Default `application/json`. */
  readonly type?: string;
}

/** A route: what it takes, what it answers, and how. `/openapi.json` is made of it. */
export interface Route {
  readonly method: "GET" | "POST" | "ANY";
  readonly path: string;
  readonly summary: string;
  readonly body?: { readonly schema: z.ZodType; readonly type: string; readonly optional?: true };
  /** What its query may be; `refused`: one that is given would be taken to count, and does not. */
  readonly query?: z.ZodObject | "refused";
  readonly answers: Readonly<Record<number, ResponseSpec>>;
  /** Whether it wants a bearer token always, or only where other machines may ask: the scope it must have. */
  readonly bearer?: "always" | { readonly remoteScope: string };
  /** Proxies pass their clients' `Host` and `Origin` on to it: there is nothing to check them against. */
  readonly forProxies?: true;
  readonly handler: (call: Call) => MaybeAsync<Response>;
}

/** The route table (design §8). @param version of the program. */
export function makeRoutes(version: string): readonly Route[] {
  const routes: Route[] = [
    auth,
    authForEnvoy,
    verify,
    verdict,
    introspect,
    login,
    logout,
    session,
    rotate,
    healthz,
    readyz,
    metrics,
    status,
    openapi(() => routes, version),
    ...page,
  ];
  return routes;
}
