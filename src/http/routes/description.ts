import type { Route } from "../route.ts";

/** The route of the OpenAPI document, which describes all routes, including itself. */
export function openapi(routes: () => readonly Route[], version: string): Route {
  let document: object | undefined;
  return {
    method: "GET",
    path: "/openapi.json",
    compressed: true,
    summary: "This document, OpenAPI 3.1",
    answers: { 200: { description: "The document", schema: "Description" } },
    async handler() {
      const { documentOf } = await import("../openapi.ts");
      return Response.json(document ??= documentOf(routes(), version));
    },
  };
}
