/** dotenv: `NAME=VALUE` lines of `import --name`. */
export { parse } from "dotenv";
