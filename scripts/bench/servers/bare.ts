// The runtime's own server with nothing in it: what any program on it can reach at most.
Deno.serve({ hostname: "127.0.0.1", port: Number(Deno.args[0]), onListen: () => {} }, () => {
  return new Response(null, { status: 204 });
});
