/** Whether this is Deno 2.5: newer ones differ in what they do with signals and sockets by themselves. */
export const IS_DENO_2_5 = Deno.version.deno.startsWith("2.5.");
