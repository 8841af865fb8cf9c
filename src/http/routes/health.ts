import type { Route } from "../route.ts";
import { Health } from "../schemas.ts";

/** Live: the program answers. */
export const healthz: Route = {
  method: "GET",
  path: "/healthz",
  summary: "Says that the program answers",
  answers: { 200: { description: "It does", schema: Health } },
  handler: () => Response.json({ status: "ok" }),
};

/** Ready: the secret can be had. */
export const readyz: Route = {
  method: "GET",
  path: "/readyz",
  summary: "Says whether tokens can be verified",
  answers: { 200: { description: "They can", schema: Health } },
  async handler({ ready }) {
    await ready();
    return Response.json({ status: "ok" });
  },
};
