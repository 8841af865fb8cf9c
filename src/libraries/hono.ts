/** Hono: routes of `serve`. */
export { RegExpRouter } from "hono/router/reg-exp-router";
