import assert from "node:assert/strict";
import { connect } from "node:tls";
import { installed, unless } from "../support/faults/faults.ts";
import { pause, until } from "../support/timing/pause.ts";
import { Serving } from "../support/http/serving.ts";
import { onWindows } from "../support/windows/tests.ts";
import type { WindowsBox } from "../support/windows/box.ts";
import { must } from "../../scripts/program.ts";

/** A certificate for a name, in the user's folder: openssl is this machine's. */
async function certify(box: WindowsBox, name: string): Promise<void> {
  const request = [
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
  ];
  const files = ["-keyout", "tls.key", "-out", "tls.pem", "-subj", `/CN=${name}`, "-days", "2"];
  const names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  await must("openssl", [...request, ...files, ...names], { cwd: box.home });
}

/** Whose certificate a new connection gets; `undefined` while no one listens. */
function served(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().subject.CN as string);
      socket.destroy();
    });
    socket.on("error", () => resolve(undefined));
  });
}

// For so long it is asked after the renewal: it takes place once.
const AFTERWARDS_MS = 4_000;

onWindows(
  "serve has a renewed certificate within seconds, without a signal",
  async (box) => {
    await box.json("init");
    await certify(box, "one");
    const flags = ["--tls-cert", "tls.pem", "--tls-key", "tls.key", "--workers", "4"];
    await using serving = await Serving.start(box, flags, { rekey: box.rekey });
    const port = Number(new URL(serving.url).port);
    assert.equal(await served(port), "one");
    await certify(box, "two");
    const renewed = async () => await served(port) === "two";
    await until(renewed, { otherwise: () => serving.stderr });
    for (const end = Date.now() + AFTERWARDS_MS; Date.now() < end; await pause(20)) {
      assert.equal(await served(port), "two", serving.stderr);
    }
    assert.doesNotMatch(serving.stderr, /warning/);
  },
  ["database"],
  unless(installed("openssl"), "openssl"),
);
