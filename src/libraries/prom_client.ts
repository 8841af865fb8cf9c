/** The library of metrics: `serve`. */
export { default } from "prom-client";
