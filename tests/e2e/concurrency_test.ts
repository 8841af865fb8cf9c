import { Box } from "../support/process/box.ts";
import { contend } from "../support/faults/contention.ts";

const LOAD = { writers: 6, rotations: 5, readers: 4 };

Deno.test(`${LOAD.writers} processes × ${LOAD.rotations} rotations, ${LOAD.readers} readers: a refused token is the only error`, async () => {
  using box = new Box();
  await contend(box, LOAD);
});
