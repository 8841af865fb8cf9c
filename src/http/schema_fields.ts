import * as z from "zod";

const LONGEST_TEXT = 1_024;

const text = () => z.string().max(LONGEST_TEXT);
const instant = () => z.string().meta({ description: "RFC 3339, UTC" });
const version = () => z.int().min(1);
const kid = () => z.string().meta({ description: "public name of a version" });
const count = () => z.int().min(0);

/** Fields of several schemas. */
export const FIELDS = { text, instant, version, kid, count };
