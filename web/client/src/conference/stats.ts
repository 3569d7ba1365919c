/** Turns the browser's reports into numbers a participant or a window cares about. */
import { parseSourceName } from './ids';
import type { RemoteStats, Statistics } from './types';

/** What is read of a report; browsers leave out what they do not know. */
export interface Report {
  readonly type: string;
  readonly id: string;
  readonly timestamp: number;
  readonly kind?: string;
  readonly mid?: string;
  readonly trackIdentifier?: string;
  readonly codecId?: string;
  readonly mimeType?: string;
  readonly framesDecoded?: number;
  readonly framesEncoded?: number;
  readonly framesPerSecond?: number;
  readonly frameWidth?: number;
  readonly frameHeight?: number;
  readonly audioLevel?: number;
  readonly totalAudioEnergy?: number;
  readonly jitter?: number;
  readonly packetsLost?: number;
  readonly packetsReceived?: number;
  readonly bytesReceived?: number;
  readonly bytesSent?: number;
  readonly currentRoundTripTime?: number;
  readonly availableOutgoingBitrate?: number;
  readonly nominated?: boolean;
  readonly state?: string;
  readonly localCandidateId?: string;
  readonly remoteCandidateId?: string;
  readonly candidateType?: string;
  readonly protocol?: string;
  /** How our relay is spoken to. */
  readonly relayProtocol?: string;
}

interface Totals {
  time: number;
  sent: number;
  received: number;
  lost: number;
  packets: number;
}
interface Count {
  readonly lost: number;
  readonly packets: number;
}

const NOTHING: RemoteStats = {
  framesDecoded: 0, width: 0, height: 0, frameRate: 0, codec: '', audioLevel: 0, totalAudioEnergy: 0, packetsLost: 0, lossFraction: 0, jitter: 0,
};

export class StatsReader {
  private last: Totals | undefined;
  private counts: ReadonlyMap<string, Count> = new Map();

  /** Reads one round of reports; `sourceAt` names the source on an m-line. */
  read(reports: Iterable<Report>, sourceAt: (mid: string) => string | undefined): Omit<Statistics, 'path'> {
    const all = [...reports];
    const byId = new Map(all.map((report) => [report.id, report]));
    const remote = new Map<string, RemoteStats>();
    const screens = new Map<string, RemoteStats>();
    const counts = new Map<string, Count>();
    const totals: Totals = { time: 0, sent: 0, received: 0, lost: 0, packets: 0 };
    let [roundTrip, framesEncoded, ownAudioLevel, sendHeight] = [0, 0, 0, 0];
    let relayed = false;
    let protocol = '';
    for (const report of all) {
      totals.time = Math.max(totals.time, report.timestamp);
      if (report.type === 'inbound-rtp') {
        totals.received += report.bytesReceived ?? 0;
        totals.lost += report.packetsLost ?? 0;
        totals.packets += report.packetsReceived ?? 0;
        // A bridge's padding (to find out a line's width) comes on the same m-line, and plays nowhere.
        if (report.trackIdentifier === '') continue;
        const source = report.mid === undefined ? undefined : sourceAt(report.mid);
        const owner = source === undefined ? undefined : parseSourceName(source)?.owner;
        if (source === undefined || owner === undefined) continue;
        counts.set(source, { lost: report.packetsLost ?? 0, packets: report.packetsReceived ?? 0 });
        const codec = byId.get(report.codecId ?? '')?.mimeType?.split('/')[1] ?? '';
        const one = { ...read(report, codec), lossFraction: lossBetween(this.counts.get(source), counts.get(source)!) };
        if (source.endsWith('0')) remote.set(owner, merge(remote.get(owner), one, report.kind));
        else if (report.kind === 'video') screens.set(source, one);
      } else if (report.type === 'outbound-rtp') {
        totals.sent += report.bytesSent ?? 0;
        framesEncoded += report.framesEncoded ?? 0;
        if (report.framesPerSecond) sendHeight = Math.max(sendHeight, report.frameHeight ?? 0);
      } else if (report.type === 'media-source') {
        ownAudioLevel = Math.max(ownAudioLevel, report.audioLevel ?? 0);
      } else if (report.type === 'candidate-pair' && report.nominated && report.state === 'succeeded') {
        roundTrip = report.currentRoundTripTime ?? roundTrip;
        const ends = [report.localCandidateId, report.remoteCandidateId].map((id) => byId.get(id ?? ''));
        // A relay that the other side sees under another address is called peer-reflexive.
        relayed = ends.some((end) => end?.candidateType === 'relay' || end?.relayProtocol !== undefined);
        protocol = ends[0]?.relayProtocol ?? ends[0]?.protocol ?? '';
      }
    }
    const before = this.last ?? totals;
    this.last = totals;
    this.counts = counts;
    const seconds = (totals.time - before.time) / 1000;
    const rate = (bytes: number) => (seconds > 0 ? Math.max(0, Math.round((8 * bytes) / seconds)) : 0);
    return {
      remote, screens, roundTrip, framesEncoded, ownAudioLevel, sendHeight, relayed, protocol,
      sendBitrate: rate(totals.sent - before.sent),
      receiveBitrate: rate(totals.received - before.received),
      lossFraction: lossBetween(before, totals),
    };
  }
}

/** The part of the packets between two counts that did not come. */
function lossBetween(before: Count | undefined, now: Count): number {
  if (!before) return 0;
  const lost = Math.max(0, now.lost - before.lost);
  const packets = Math.max(0, now.packets - before.packets);
  return lost + packets > 0 ? lost / (lost + packets) : 0;
}

function read(report: Report, codec: string): RemoteStats {
  const common = { ...NOTHING, packetsLost: report.packetsLost ?? 0, jitter: report.jitter ?? 0 };
  return report.kind === 'video'
    ? {
      ...common, codec, framesDecoded: report.framesDecoded ?? 0, frameRate: report.framesPerSecond ?? 0,
      width: report.frameWidth ?? 0, height: report.frameHeight ?? 0,
    }
    : { ...common, audioLevel: report.audioLevel ?? 0, totalAudioEnergy: report.totalAudioEnergy ?? 0 };
}

/** One person's microphone and camera together. */
function merge(known: RemoteStats | undefined, one: RemoteStats, kind: string | undefined): RemoteStats {
  if (!known) return one;
  const [audio, video] = kind === 'video' ? [known, one] : [one, known];
  return {
    ...video, audioLevel: audio.audioLevel, totalAudioEnergy: audio.totalAudioEnergy, jitter: audio.jitter,
    packetsLost: audio.packetsLost + video.packetsLost, lossFraction: Math.max(audio.lossFraction, video.lossFraction),
  };
}
