import { hostname } from "node:os";
import { exportLine } from "../audit/log_parts.ts";
import { SYSTEM } from "../system/system.ts";
import { ChannelSink } from "./channel_sink.ts";
import { FileSink } from "./file_sink.ts";
import { journalEntry } from "./journal.ts";
import { placeOf } from "./names.ts";
import type { Sink } from "./sink.ts";
import { counted, syslogMessage } from "./syslog.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);

/** The sink of a name. The only place that decides which kind it is. */
export async function openSink(name: string, app: string): Promise<Sink> {
  const place = placeOf(name);
  if (place.kind === "file") return new FileSink(place.path);
  const { connect, inherited } = await SYSTEM.channels!.load();
  switch (place.kind) {
    case "descriptor":
      return new ChannelSink({
        shown: name,
        open: () => inherited(place.number),
        encode: (row) => bytesOf(`${exportLine(row)}\n`),
      });
    case "journal":
      return new ChannelSink({
        shown: place.path,
        path: place.path,
        open: () => connect(place.path),
        encode: (row) => journalEntry(app, row),
      });
    case "syslog": {
      const host = hostname();
      return new ChannelSink({
        shown: place.path,
        path: place.path,
        open: () => connect(place.path),
        encode(row, keepsMessages) {
          const message = bytesOf(syslogMessage(app, host, row));
          return keepsMessages ? message : counted(message);
        },
      });
    }
  }
}
