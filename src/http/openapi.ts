import * as z from "zod";
import type { ResponseSpec, Route, SchemaName } from "./route.ts";
import * as all from "./schemas.ts";

type JsonNode = Record<string, unknown>;

/** The OpenAPI 3.1 document of a route table. */
export function documentOf(routes: readonly Route[], version: string): JsonNode {
  const schemas: JsonNode = {};
  const reference = (schema: SchemaName) => referenceTo(schema, schemas);
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

type Reference = (schema: SchemaName) => JsonNode;

function operation(route: Route, method: string, reference: Reference): JsonNode {
  const { summary, body, bearer, path, query } = route;
  const name = path.replace(/[^a-z]+/g, "_").replace(/^_+|_+$/g, "") || "page";
  return {
    operationId: `${method}_${name}`,
    summary,
    ...path.endsWith("*") ? { parameters: [PATH_PARAMETER] } : {},
    ...query === undefined || query === "refused" ? {} : { parameters: queryParameters(query) },
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

function queryParameters(query: SchemaName): JsonNode[] {
  const { properties = {} } = z.toJSONSchema(all[query], { io: "input" });
  return Object.entries(properties).map(([name, schema]) => ({ name, in: "query", schema }));
}

const BEARER = { bearer: [] };
const PATH_PARAMETER = { name: "path", in: "path", required: true, schema: { type: "string" } };

function responses({ answers }: Route, reference: Reference): JsonNode {
  const described = Object.entries(answers).map(([status, answer]) => [
    status,
    { description: answer.description, ...content(answer, reference) },
  ]);
  const problem = { "application/problem+json": { schema: reference("Problem") } };
  return {
    ...Object.fromEntries(described),
    default: { description: "An error", content: problem },
  };
}

function content({ schema, type }: ResponseSpec, reference: Reference): JsonNode {
  if (schema === undefined && type === undefined) return {};
  const form = schema === "Problem" ? "application/problem+json" : type ?? "application/json";
  return { content: { [form]: { schema: schema ? reference(schema) : { type: "string" } } } };
}

/** Reference to a schema of `schemas.ts`, which is added to the document with those that it contains. */
function referenceTo(name: SchemaName, schemas: JsonNode): JsonNode {
  const schema: z.ZodType = all[name];
  const id = schema.meta()?.id;
  if (id === undefined) throw new Error("A schema has no name");
  if (schemas[id] === undefined) {
    const { $defs } = z.toJSONSchema(schema, { io: "input" });
    const text = JSON.stringify($defs).replaceAll('"#/$defs/', '"#/components/schemas/');
    Object.assign(schemas, JSON.parse(text));
  }
  return { $ref: `#/components/schemas/${id}` };
}
