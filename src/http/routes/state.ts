import { parseInstant } from "../../core/clock.ts";
import { readQuery } from "../query.ts";
import type { HostOperations } from "../host_operations.ts";
import type { Route } from "../route.ts";

type Status = Awaited<ReturnType<HostOperations["status"]>>;

// What the status page shows. Where other machines can connect, each needs the same scope as the metrics.

export const status: Route = {
  method: "GET",
  path: "/status.json",
  compressed: true,
  summary: "The data of the status page",
  answers: { 200: { description: "The state of the secret, never its value", schema: "Status" } },
  bearer: {
    remoteScope: "metrics",
    scraped: async ({ secretHost }) => Response.json(withoutPeople(await secretHost.status())),
  },
  handler: async ({ secretHost }) => Response.json(await secretHost.status()),
};

/** The state for a monitoring system: not who did what, and why. */
function withoutPeople(status: Status): Status {
  const rotations = status.rotations.map((one) => ({ ...one, actor: null, reason: null }));
  const findings = status.findings.map((one) =>
    one.code === "sessions_ended"
      ? { ...one, text: "Every session from before the current version has ended" }
      : one
  );
  return { ...status, rotations, findings, audit: [] };
}

export const audit: Route = {
  method: "GET",
  path: "/audit.json",
  compressed: true,
  summary: "A page of the audit log",
  query: "AuditQuery",
  answers: { 200: { description: "The newest rows that match", schema: "AuditPage" } },
  bearer: { remoteScope: "metrics" },
  async handler({ request, secretHost }) {
    const { event, version, actor, since, before } = await readQuery(request, "AuditQuery");
    const page = await secretHost.audit({
      event: event === undefined ? undefined : [event],
      version: version === undefined ? undefined : [Number(version)],
      actor: actor === undefined ? undefined : [actor],
      since: since === undefined ? undefined : parseInstant(since),
      before: before === undefined ? undefined : Number(before),
    });
    return Response.json(page);
  },
};

export const history: Route = {
  method: "GET",
  path: "/history.json",
  compressed: true,
  summary: "Figures over the last hour, day or 90 days",
  query: "HistoryQuery",
  answers: { 200: { description: "The figures", schema: "HistoryAnswer" } },
  bearer: { remoteScope: "metrics" },
  async handler({ request, secretHost }) {
    const { period = "hour" } = await readQuery(request, "HistoryQuery");
    return Response.json(await secretHost.history(period));
  },
};
