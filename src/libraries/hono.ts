/** What finds a request's route: `serve`. */
export { Hono } from "hono";
