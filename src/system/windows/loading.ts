import { systemFolder } from "./kernel.ts";
import { wide } from "./wide.ts";

// Microsoft's Visual C++ runtime, which Windows itself does not have.
const RUNTIME = "vcruntime140.dll";

// A library that is loaded is not looked for again.
let runtime: unknown;

/** See {@linkcode System.prepareAddon}. Windows would look for what the addon needs in the working folder too. */
export function prepareAddon(): void {
  if (runtime !== undefined) return;
  try {
    runtime = Deno.dlopen(`${systemFolder()}\\${RUNTIME}`, {});
  } catch {
    // It may be beside rekey. This is the second choice, since programs that rekey starts inherit where to look.
    leaveOutWorkingFolder();
  }
}

function leaveOutWorkingFolder(): void {
  const kernel32 = Deno.dlopen("kernel32.dll", {
    SetDllDirectoryW: { parameters: ["buffer"], result: "i32" },
  });
  kernel32.symbols.SetDllDirectoryW(wide(""));
  kernel32.close();
}
