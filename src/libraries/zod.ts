/** Zod: schemas of `serve`. */
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
