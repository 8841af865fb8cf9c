/** Version of the program. deno.json has it too: all of that would be in what each start reads. */
export const VERSION = "0.1.0";
