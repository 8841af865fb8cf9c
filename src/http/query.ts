import type * as z from "zod";
import { escapesUtf8 } from "../core/encoding.ts";
import { HttpRefusal } from "./problem.ts";
import type { QueryName, Schemas } from "./route.ts";

/**
 * The parameters of a request's query. One that is unknown is refused, since its author expects an effect.
 *
 * @throws {HttpRefusal} 400; its text quotes no value, but the name of a known parameter.
 */
export async function readQuery<N extends QueryName>(
  { url }: Request,
  schema: N,
): Promise<z.output<Schemas[N]>> {
  const query = /\?([^#]*)/.exec(url)?.[1] ?? "";
  // `URLSearchParams` would replace bytes that are not UTF-8.
  if (!escapesUtf8(query)) throw refusal("its query is not UTF-8");
  const pairs = [...new URLSearchParams(query)];
  const given = new Map(pairs);
  if (given.size < pairs.length) throw refusal("a parameter of its query occurs twice");
  const { [schema]: checked } = await import("./schemas.ts");
  const { success, data, error } = checked.safeParse(Object.fromEntries(given));
  if (success) return data as z.output<Schemas[N]>;
  const [issue] = error.issues;
  const name = issue!.path.map(String).join(".");
  throw refusal(
    name === "" ? "its query has an unknown parameter" : `${name} in its query is malformed`,
  );
}

function refusal(why: string): HttpRefusal {
  const hint = "/openapi.json lists the parameters of each route";
  return new HttpRefusal("bad_request", `Cannot answer: ${why}`, {}, hint);
}
