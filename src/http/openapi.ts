import * as z from "zod";
import type { ResponseSpec, Route } from "./routes.ts";
import { Description, Problem } from "./schemas.ts";

type JsonNode = Record<string, unknown>;

/** The route of the OpenAPI document, which describes all routes, including itself. */
export function openapi(routes: () => readonly Route[], version: string): Route {
  let document: object | undefined;
  return {
    method: "GET",
    path: "/openapi.json",
    summary: "This document, OpenAPI 3.1",
    answers: { 200: { description: "The document", schema: Description } },
    handler: () => Response.json(document ??= documentOf(routes(), version)),
  };
}

/** The OpenAPI 3.1 document of a route table. */
function documentOf(routes: readonly Route[], version: string): JsonNode {
  const schemas: JsonNode = {};
  const reference = (schema: z.ZodType) => referenceTo(schema, schemas);
  const paths: Record<string, JsonNode> = {};
  for (const route of routes) {
    const path = paths[route.path.replace("*", "{path}")] ??= {};
    const methods = route.method === "ANY" ? ["get", "post"] : [route.method.toLowerCase()];
    for (const method of methods) path[method] = operation(route, method, reference);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "rekey",
      version,
      description: "Verification with this machine's JWT signing secret, on loopback",
    },
    servers: [{ url: "/" }],
    security: [],
    paths,
    components: {
      schemas,
      securitySchemes: { bearer: { type: "http", scheme: "bearer", bearerFormat: "JWT" } },
    },
  };
}

type Reference = (schema: z.ZodType) => JsonNode;

function operation(route: Route, method: string, reference: Reference): JsonNode {
  const { summary, body, bearer, path, query } = route;
  const name = path.replace(/[^a-z]+/g, "_").replace(/^_+|_+$/g, "") || "page";
  return {
    operationId: `${method}_${name}`,
    summary,
    ...path.endsWith("*") ? { parameters: [PATH_PARAMETER] } : {},
    ...typeof query === "object" ? { parameters: queryParameters(query) } : {},
    ...body === undefined ? {} : {
      requestBody: {
        required: body.optional !== true,
        content: { [body.type]: { schema: reference(body.schema) } },
      },
    },
    ...bearer === undefined ? {} : { security: bearer === "always" ? [BEARER] : [{}, BEARER] },
    responses: responses(route, reference),
  };
}

function queryParameters(query: z.ZodObject): JsonNode[] {
  const { properties = {} } = z.toJSONSchema(query, { io: "input" });
  return Object.entries(properties).map(([name, schema]) => ({ name, in: "query", schema }));
}

const BEARER = { bearer: [] };
const PATH_PARAMETER = { name: "path", in: "path", required: true, schema: { type: "string" } };

function responses({ answers }: Route, reference: Reference): JsonNode {
  const described = Object.entries(answers).map(([status, answer]) => [
    status,
    { description: answer.description, ...content(answer, reference) },
  ]);
  const problem = { "application/problem+json": { schema: reference(Problem) } };
  return {
    ...Object.fromEntries(described),
    default: { description: "An error", content: problem },
  };
}

function content({ schema, type }: ResponseSpec, reference: Reference): JsonNode {
  if (schema === undefined && type === undefined) return {};
  const form = schema === Problem ? "application/problem+json" : type ?? "application/json";
  return { content: { [form]: { schema: schema ? reference(schema) : { type: "string" } } } };
}

/** Reference to a schema of `schemas.ts`, which is added to the document with those that it contains. */
function referenceTo(schema: z.ZodType, schemas: JsonNode): JsonNode {
  const id = schema.meta()?.id;
  if (id === undefined) throw new Error("A schema has no name");
  if (schemas[id] === undefined) {
    const { $defs } = z.toJSONSchema(schema, { io: "input" });
    const text = JSON.stringify($defs).replaceAll('"#/$defs/', '"#/components/schemas/');
    Object.assign(schemas, JSON.parse(text));
  }
  return { $ref: `#/components/schemas/${id}` };
}
