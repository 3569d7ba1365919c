/** `window.xmppconf`: a read-only view of the call for tests and for people who look for a fault. */
import type { RemoteStats } from '../conference';
import { conference, conferenceState, dominantSpeaker, media, microphone, camera, participants, statistics } from './state';

const SILENT: RemoteStats = { framesDecoded: 0, width: 0, height: 0, audioLevel: 0, totalAudioEnergy: 0, packetsLost: 0, frameRate: 0, codec: '', lossFraction: 0, jitter: 0 };

export const debug = Object.freeze({
  get state() {
    return conferenceState.value;
  },
  get media() {
    return media.value;
  },
  get endpointId() {
    return conference?.endpointId;
  },
  get dominantSpeaker() {
    return dominantSpeaker.value;
  },
  get path() {
    return conference?.path;
  },
  get connection() {
    return conference?.connectionStates;
  },
  get timings() {
    return conference && { ...conference.timings };
  },
  get local() {
    return { audioMuted: microphone.value.muted, videoMuted: camera.value.muted, audioProblem: microphone.value.problem, videoProblem: camera.value.problem };
  },
  get participants() {
    return participants.value.map((p) => ({
      id: p.id, name: p.name, audioMuted: p.audioMuted, videoMuted: p.videoMuted, hasAudio: p.audio !== undefined, hasVideo: p.video !== undefined,
      forwarded: p.forwarded, active: p.active,
      screens: p.screens.map(({ source }) => ({ source, framesDecoded: statistics.value?.screens.get(source)?.framesDecoded ?? 0 })), ...(statistics.value?.remote.get(p.id) ?? SILENT),
    }));
  },
  get statistics() {
    const s = statistics.value;
    return s && { sendBitrate: s.sendBitrate, receiveBitrate: s.receiveBitrate, roundTrip: s.roundTrip, lossFraction: s.lossFraction, framesEncoded: s.framesEncoded };
  },
});

declare global {
  interface Window {
    config?: unknown;
    readonly xmppconf: typeof debug;
  }
}

export function expose(): void {
  Object.defineProperty(window, 'xmppconf', { value: debug });
}
