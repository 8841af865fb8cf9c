/** prom-client: metrics of `serve`. */
export { default } from "prom-client";
