/** Turns the browser's reports into numbers a participant or a window cares about. */
import type { RemoteStats, Statistics } from './types';

/** What is read of a report; browsers leave out what they do not know. */
export interface Report {
  readonly type: string;
  readonly id: string;
  readonly timestamp: number;
  readonly kind?: string;
  readonly mid?: string;
  readonly framesDecoded?: number;
  readonly framesEncoded?: number;
  readonly frameWidth?: number;
  readonly frameHeight?: number;
  readonly audioLevel?: number;
  readonly totalAudioEnergy?: number;
  readonly packetsLost?: number;
  readonly packetsReceived?: number;
  readonly bytesReceived?: number;
  readonly bytesSent?: number;
  readonly currentRoundTripTime?: number;
  readonly nominated?: boolean;
  readonly state?: string;
}

interface Totals {
  time: number;
  sent: number;
  received: number;
  lost: number;
  packets: number;
}

const NOTHING: RemoteStats = { framesDecoded: 0, width: 0, height: 0, audioLevel: 0, totalAudioEnergy: 0, packetsLost: 0 };

export class StatsReader {
  private last: Totals | undefined;

  /** Reads one round of reports; `ownerAt` says whose track is on an m-line. */
  read(reports: Iterable<Report>, ownerAt: (mid: string) => string | undefined): Statistics {
    const remote = new Map<string, RemoteStats>();
    const totals: Totals = { time: 0, sent: 0, received: 0, lost: 0, packets: 0 };
    let roundTrip = 0;
    let framesEncoded = 0;
    for (const report of reports) {
      totals.time = Math.max(totals.time, report.timestamp);
      if (report.type === 'inbound-rtp') {
        totals.received += report.bytesReceived ?? 0;
        totals.lost += report.packetsLost ?? 0;
        totals.packets += report.packetsReceived ?? 0;
        const owner = report.mid === undefined ? undefined : ownerAt(report.mid);
        if (owner) remote.set(owner, merge(remote.get(owner) ?? NOTHING, report));
      } else if (report.type === 'outbound-rtp') {
        totals.sent += report.bytesSent ?? 0;
        framesEncoded += report.framesEncoded ?? 0;
      } else if (report.type === 'candidate-pair' && report.nominated && report.state === 'succeeded') {
        roundTrip = report.currentRoundTripTime ?? roundTrip;
      }
    }
    const before = this.last ?? totals;
    this.last = totals;
    const seconds = (totals.time - before.time) / 1000;
    const rate = (bytes: number) => (seconds > 0 ? Math.max(0, Math.round((8 * bytes) / seconds)) : 0);
    const lost = Math.max(0, totals.lost - before.lost);
    const packets = Math.max(0, totals.packets - before.packets);
    return {
      remote, roundTrip, framesEncoded,
      sendBitrate: rate(totals.sent - before.sent),
      receiveBitrate: rate(totals.received - before.received),
      lossFraction: lost + packets > 0 ? lost / (lost + packets) : 0,
    };
  }
}

function merge(known: RemoteStats, report: Report): RemoteStats {
  const lost = known.packetsLost + (report.packetsLost ?? 0);
  if (report.kind === 'video') {
    return {
      ...known, packetsLost: lost, framesDecoded: report.framesDecoded ?? 0,
      width: report.frameWidth ?? 0, height: report.frameHeight ?? 0,
    };
  }
  return { ...known, packetsLost: lost, audioLevel: report.audioLevel ?? 0, totalAudioEnergy: report.totalAudioEnergy ?? 0 };
}
