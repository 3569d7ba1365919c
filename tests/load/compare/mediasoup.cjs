// A mediasoup worker, commanded by lines of JSON on a port of loopback: {number, call, ...} is answered by
// {number, ...}.
"use strict";
const net = require("node:net");
const readline = require("node:readline");
const mediasoup = require("mediasoup");

const CODECS = [
  { kind: "audio", mimeType: "audio/opus", clockRate: 48000, channels: 2 },
  { kind: "video", mimeType: "video/VP8", clockRate: 90000 },
];

async function main(port, address) {
  const worker = await mediasoup.createWorker({ logLevel: "warn" });
  worker.on("died", () => process.exit(1));
  const listenInfos = [{ protocol: "udp", ip: address }];
  const webRtcServer = await worker.createWebRtcServer({ listenInfos });
  const router = await worker.createRouter({ mediaCodecs: CODECS });
  const transports = new Map();

  const calls = {
    about: () => ({ pid: worker.pid, capabilities: router.rtpCapabilities }),
    async transport() {
      const one = await router.createWebRtcTransport({ webRtcServer });
      transports.set(one.id, one);
      const { id, iceParameters, iceCandidates, dtlsParameters } = one;
      return { id, iceParameters, iceCandidates, dtlsParameters };
    },
    async connect({ transport, dtlsParameters }) {
      await transports.get(transport).connect({ dtlsParameters });
      return {};
    },
    async produce({ transport, kind, rtpParameters }) {
      return { id: (await transports.get(transport).produce({ kind, rtpParameters })).id };
    },
    async consume({ transport, producerId, rtpCapabilities }) {
      return { id: (await transports.get(transport).consume({ producerId, rtpCapabilities })).id };
    },
  };

  net
    .createServer((socket) => {
      readline.createInterface({ input: socket }).on("line", async (line) => {
        const { number, call, ...rest } = JSON.parse(line);
        let answer;
        try {
          answer = await calls[call](rest);
        } catch (error) {
          answer = { error: String(error) };
        }
        socket.write(JSON.stringify({ number, ...answer }) + "\n");
      });
    })
    .listen(port, "127.0.0.1");
}

main(Number(process.argv[2]), process.argv[3]);
