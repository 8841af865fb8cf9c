// The runtime's own server with nothing in it, in as many threads as are asked for, beside one that only starts them: the
// least memory that a server takes whose main thread answers no requests.
if (self.name === "request thread") {
  addEventListener("message", (event) => {
    const { data: port } = event as MessageEvent<number>;
    Deno.serve({ hostname: "127.0.0.1", port, reusePort: true, onListen: () => {} }, () => {
      return new Response(null, { status: 204 });
    });
  });
} else {
  const [port, threads] = Deno.args.map(Number);
  for (let n = 0; n < threads!; n++) {
    new Worker(Deno.mainModule, { type: "module", name: "request thread" }).postMessage(port);
  }
}
