import { Session } from "node:inspector";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";

const SRC = fileURLToPath(new URL("../../../src", import.meta.url));

interface FileCoverage {
  readonly url: string;
  readonly functions: readonly {
    readonly functionName: string;
    readonly ranges: readonly { readonly count: number }[];
  }[];
}

/** The files of `src` of which V8 runs a function meanwhile. */
export async function filesThatRun(work: () => Promise<unknown>): Promise<string[]> {
  const session = new Session();
  session.connect();
  const post = (method: string, params = {}) =>
    new Promise<unknown>((resolve, reject) => {
      session.post(method, params, (error, result) => error ? reject(error) : resolve(result));
    });
  await post("Profiler.enable");
  await post("Profiler.startPreciseCoverage", { callCount: true, detailed: false });
  // What has run before is counted from here on.
  await post("Profiler.takePreciseCoverage");
  await work();
  const { result } = await post("Profiler.takePreciseCoverage") as { result: FileCoverage[] };
  session.disconnect();
  return result
    .filter(({ url, functions }) =>
      url.startsWith(`file://${SRC}/`) &&
      functions.some(({ ranges }) => ranges[0]!.count > 0)
    )
    .map(({ url }) => relative(SRC, fileURLToPath(url))).sort();
}
