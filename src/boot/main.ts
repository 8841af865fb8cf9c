/** The first module of the compiled program, where `main.ts` is that of its sources. */
import { Scripts } from "./script.ts";

const { start } = new Scripts(import.meta.dirname!).require("program") as {
  start: () => Promise<void>;
};
await start();
