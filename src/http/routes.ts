import { auth, authForEnvoy } from "./routes/auth.ts";
import { openapi } from "./routes/description.ts";
import { discovery, jwks } from "./routes/public_keys.ts";
import { healthz, metrics, readyz } from "./routes/monitoring.ts";
import { page } from "./routes/page.ts";
import { audit, history, status } from "./routes/state.ts";
import { introspect, verdict, verify } from "./routes/verify.ts";
import { login, logout, session } from "./routes/session.ts";
import { rotate } from "./routes/rotate.ts";
import type { Route } from "./route.ts";

/**
 * The route table.
 *
 * @param version of the program.
 * @param issuer of the tokens, whose metadata are then served.
 */
export function makeRoutes(version: string, issuer?: string): readonly Route[] {
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
    jwks,
    ...issuer === undefined ? [] : [discovery(issuer)],
    healthz,
    readyz,
    metrics,
    status,
    audit,
    history,
    openapi(() => routes, version),
    ...page,
  ];
  return routes;
}
