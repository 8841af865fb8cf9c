import type { Route } from "./route.ts";
import { auth, authForEnvoy } from "./routes/auth.ts";
import { healthz, readyz } from "./routes/health.ts";
import { introspect } from "./routes/introspect.ts";
import { login } from "./routes/login.ts";
import { metrics } from "./routes/metrics.ts";
import { openapi } from "./routes/openapi.ts";
import { page, status } from "./routes/page.ts";
import { rotate } from "./routes/rotate.ts";
import { logout, session } from "./routes/session.ts";
import { verdict, verify } from "./routes/verify.ts";

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
