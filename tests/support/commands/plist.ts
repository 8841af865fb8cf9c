import { must } from "../../../scripts/program.ts";

const READ = "import json,plistlib,sys; print(json.dumps(plistlib.loads(sys.stdin.buffer.read())))";

/** A property list as Python reads it. */
export async function readPlist(text: string): Promise<Record<string, unknown>> {
  return JSON.parse(await must("/usr/bin/python3", ["-c", READ], { stdin: text }));
}
