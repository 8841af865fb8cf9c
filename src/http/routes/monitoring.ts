import type { Call, Route } from "../route.ts";

export const healthz: Route = {
  method: "GET",
  path: "/healthz",
  summary: "Liveness: the program responds",
  answers: { 200: { description: "The program responds", schema: "Health" } },
  handler: () => Response.json({ status: "ok" }),
};

export const readyz: Route = {
  method: "GET",
  path: "/readyz",
  summary: "Readiness: tokens can be verified",
  answers: { 200: { description: "Tokens can be verified", schema: "Health" } },
  async handler({ ready }) {
    await ready();
    return Response.json({ status: "ok" });
  },
};

const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

const answerMetrics = async ({ secretHost }: Call) =>
  new Response(await secretHost.metrics(), { headers: { "content-type": METRICS_TYPE } });

export const metrics: Route = {
  method: "GET",
  path: "/metrics",
  compressed: true,
  summary: "Metrics in Prometheus' text format",
  answers: { 200: { description: "The metrics", type: "text/plain" } },
  bearer: { remoteScope: "metrics", scraped: answerMetrics },
  handler: answerMetrics,
};
