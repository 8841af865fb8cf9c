import { statfsSync } from "node:fs";
import { withLibc, zeroTerminated } from "../unix/libc.ts";
import type { Memory } from "../files.ts";

// Types of file systems in memory, of statfs(2): tmpfs and ramfs.
const IN_MEMORY = [0x01021994, 0x858458f6];

// <asm-generic/fcntl.h>; O_NOFOLLOW is not needed with O_EXCL.
const [O_WRONLY, O_CREAT, O_EXCL, O_CLOEXEC] = [0o1, 0o100, 0o200, 0o2000000];
const PRIVATE = 0o600;

const CALLS = {
  open: { parameters: ["buffer", "i32", "i32"], result: "i32" },
  write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  close: { parameters: ["i32"], result: "i32" },
} as const;

/** File systems in memory. The runtime's own calls refuse to open a file below /dev, as in /dev/shm. */
export const memory: Memory = {
  places: ["/run", "/dev/shm"],

  holds(folder) {
    try {
      return IN_MEMORY.includes(statfsSync(folder).type);
    } catch {
      // It does not exist, or this user may not look at it.
      return false;
    }
  },

  writeNew(path, bytes) {
    withLibc(CALLS, (libc) => {
      const flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
      const fd = libc.open(zeroTerminated(path), flags, PRIVATE);
      if (fd < 0) throw new Error("open(2) failed");
      try {
        for (let at = 0; at < bytes.length;) {
          const rest = bytes.subarray(at);
          const written = Number(libc.write(fd, rest, BigInt(rest.length)));
          if (written <= 0) throw new Error("write(2) failed");
          at += written;
        }
      } finally {
        libc.close(fd);
      }
    });
  },
};
