/** What the schemas of `serve` are made of. */
export {
  array,
  boolean,
  enum,
  int,
  literal,
  looseObject,
  number,
  object,
  record,
  strictObject,
  string,
  toJSONSchema,
  union,
  unknown,
} from "zod";
export type { infer, input, output, ZodObject, ZodType } from "zod";
