import type { Route } from "../route.ts";

const TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** For Prometheus. */
export const metrics: Route = {
  method: "GET",
  path: "/metrics",
  summary: "Metrics in Prometheus' text format",
  answers: { 200: { description: "The metrics", type: "text/plain" } },
  bearer: { remoteScope: "metrics" },
  handler: async ({ secretHost }) =>
    new Response(await secretHost.metrics(), { headers: { "content-type": TYPE } }),
};
