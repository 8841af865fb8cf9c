import { join } from "node:path";
import { Box, type Ended } from "../process/box.ts";

// A systemd of its own for a script: its processes, its cgroups, its /run. With the script everything ends.
const BEFORE = `
set -e
mount -t tmpfs none /run
mkdir -p /run/systemd/system
mount -t tmpfs none /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
mkdir -p /sys/fs/cgroup/test
echo $$ > /sys/fs/cgroup/test/cgroup.procs
mkdir -p "$XDG_RUNTIME_DIR"
chmod 700 "$XDG_RUNTIME_DIR"
/lib/systemd/systemd --user >/dev/null 2>&1 &
for i in $(seq 100); do
  systemctl --user is-system-running >/dev/null 2>&1 && break
  sleep 0.1
done
systemctl --user is-system-running >/dev/null
`;

/** Runs a script of the shell's, whose first failure ends it, beside a real user manager of systemd's. */
export function withUserManager(box: Box, script: string): Promise<Ended> {
  const namespaces = ["--mount", "--pid", "--fork", "--mount-proc", "--cgroup"];
  const args = [...namespaces, "/bin/sh", "-c", BEFORE + script];
  return box.exec("/usr/bin/unshare", args, {
    env: { PATH: "/usr/bin:/bin", XDG_RUNTIME_DIR: join(box.home, "run") },
  });
}

/** Whether this machine lets a test have one: that takes root, namespaces and systemd. */
export async function hasUserManager(): Promise<boolean> {
  if (Deno.uid() !== 0) return false;
  using box = new Box();
  return (await withUserManager(box, "true")).code === 0;
}
