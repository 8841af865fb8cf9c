/** What finds a request's route: `serve`. */
export { RegExpRouter } from "hono/router/reg-exp-router";
