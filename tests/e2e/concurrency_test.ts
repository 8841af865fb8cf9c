import { Box } from "../support/process/box.ts";
import { THOROUGH } from "../support/process/sample.ts";
import { contend } from "../support/faults/contention.ts";

// A reader starts one command after the other. `deno task contention` has sixteen of each.
const LOAD = THOROUGH
  ? { writers: 6, rotations: 5, readers: 4 }
  : { writers: 6, rotations: 4, readers: 2 };

Deno.test(`${LOAD.writers} processes × ${LOAD.rotations} rotations, ${LOAD.readers} readers: a refused token is the only error`, async () => {
  using box = new Box();
  await contend(box, LOAD);
});
