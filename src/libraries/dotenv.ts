/** What rekey uses of dotenv: reading `NAME=VALUE` lines, at `import --name` only. */
export { parse } from "dotenv";
