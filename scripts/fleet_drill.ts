/** `deno task fleet-drill [ROTATIONS]`: five machines rotate while members of etcd and networks fail. Needs root. */
import { drill } from "../tests/support/cluster/fleet_drill.ts";

const [rotations = 500] = Deno.args.map(Number);
const reports = await drill(rotations);
const lines = reports.map(({ fault, made, refused, longestMs }) =>
  `| ${fault} | ${made} | ${refused} | ${longestMs.toFixed(0)} ms |`
);
const head = [
  "| while | rotations made | refused | an old token was accepted at most |",
  "| --- | --: | --: | --: |",
];
Deno.stdout.writeSync(new TextEncoder().encode(`${[...head, ...lines].join("\n")}\n`));
