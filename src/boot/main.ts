/** The main module of the compiled program. From source it is `main.ts`. */
import { Scripts } from "./script.ts";

const { start } = new Scripts(import.meta.dirname!).require("program") as {
  start: () => Promise<void>;
};
await start();
