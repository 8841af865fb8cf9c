import { describe } from "../openapi.ts";
import type { Route } from "../route.ts";
import { Description } from "../schemas.ts";

/** The description of all routes, its own among them. */
export function openapi(routes: () => readonly Route[], version: string): Route {
  let document: object | undefined;
  return {
    method: "GET",
    path: "/openapi.json",
    summary: "This description, OpenAPI 3.1",
    answers: { 200: { description: "The description", schema: Description } },
    handler: () => Response.json(document ??= describe(routes(), version)),
  };
}
