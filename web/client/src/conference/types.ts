/** The words the modules of the conference library share. */

export type Kind = 'audio' | 'video';
export type VideoType = 'camera' | 'desktop';

/** A participant's sources: microphone, camera, the sound of a shared screen, the screen. */
export type SourceKey = 'a0' | 'v0' | 'a1' | 'v1';

export interface PayloadType {
  readonly id: number;
  readonly name: string;
  readonly clockRate: number;
  readonly channels: number;
  readonly parameters: readonly (readonly [string, string])[];
  readonly feedback: readonly { readonly type: string; readonly subtype?: string }[];
}

export interface HeaderExtension {
  readonly id: number;
  readonly uri: string;
}

export interface Media {
  readonly kind: Kind;
  readonly payloads: readonly PayloadType[];
  readonly extensions: readonly HeaderExtension[];
  readonly allowMixed: boolean;
}

export interface Candidate {
  readonly foundation: string;
  readonly component: string;
  readonly protocol: string;
  readonly priority: string;
  readonly ip: string;
  readonly port: string;
  readonly type: string;
  readonly relAddr?: string;
  readonly relPort?: string;
}

export interface Transport {
  readonly ufrag: string;
  readonly pwd: string;
  readonly fingerprint: { readonly hash: string; readonly value: string; readonly setup: string };
  readonly candidates: readonly Candidate[];
  readonly webSockets: readonly string[];
}

/** One track of somebody else as it reaches us: one SSRC, perhaps one for retransmissions. */
export interface RemoteSource {
  readonly kind: Kind;
  readonly name: string;
  readonly owner: string;
  readonly ssrc: number;
  readonly rtx?: number;
  readonly videoType: VideoType;
}

export interface Offer {
  readonly sid: string;
  readonly from: string;
  readonly initiator: string;
  readonly media: readonly Media[];
  readonly transport: Transport;
  readonly sctpPort?: number;
  readonly bridgeSession?: string;
  readonly sources: readonly RemoteSource[];
}

/** Our own track as announced to the focus or to the peer. */
export interface LocalSource {
  readonly kind: Kind;
  readonly name: string;
  readonly videoType: VideoType;
  readonly msid: string;
  readonly ssrcs: readonly number[];
  readonly groups: readonly { readonly semantics: string; readonly ssrcs: readonly number[] }[];
}

/** `waiting`: the way in is open as soon as somebody does something (`Waiting`). */
export type ConferenceState = 'idle' | 'connecting' | 'waiting' | 'joined' | 'reconnecting' | 'left' | 'failed';

/** For whom or what one waits before the room. */
export type Waiting = 'host' | 'password' | 'wrong-password' | 'lobby';

export type FailureReason =
  | 'server-unreachable'
  | 'not-authorized'
  | 'room-full'
  | 'overloaded'
  | 'denied'
  | 'lobby-full'
  | 'members-only'
  | 'kicked'
  | 'removed'
  | 'room-closed'
  | 'unknown';

export interface Participant {
  readonly id: string;
  readonly name: string;
  readonly joinedAt: number;
  readonly audioMuted: boolean;
  readonly videoMuted: boolean;
  readonly videoType: VideoType;
  readonly audio?: MediaStream;
  readonly video?: MediaStream;
  /** What the participant shares besides the camera. */
  readonly screens: readonly SharedScreen[];
  /** The sound of what is shared, by source. */
  readonly screenAudio: readonly SharedScreen[];
  /** Whether the bridge forwards this participant's camera to us now. */
  readonly forwarded: boolean;
  /** False while the bridge hears nothing from this participant. */
  readonly active: boolean;
  readonly moderator: boolean;
  /** When the hand went up; undefined while it is down. */
  readonly raisedHand?: number;
}

/** A source besides microphone and camera; without a stream while it has not arrived. */
export interface SharedScreen {
  readonly source: string;
  readonly stream?: MediaStream;
}

/** What of the conference is on the screen. */
export interface View {
  /** Height of each video source in device pixels; what is missing is not shown at all. */
  readonly sizes: ReadonlyMap<string, number>;
  /** Sources that matter most, the first one first. */
  readonly onStage: readonly string[];
  /** No video of anybody is wanted. */
  readonly audioOnly: boolean;
}

/** How two people are connected: `direct` is from browser to browser, encrypted from end to end. */
export type Path = 'bridge' | 'direct';

export interface ChatMessage {
  readonly id: string;
  readonly from: string;
  readonly name: string;
  readonly text: string;
  /** Whom it was for, when not for everybody. */
  readonly privateWith?: string;
  /** The id of the message it answers. */
  readonly replyTo?: string;
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly own: boolean;
}

export interface RemoteStats {
  readonly framesDecoded: number;
  readonly width: number;
  readonly height: number;
  /** Frames a second. */
  readonly frameRate: number;
  /** The video codec, such as VP8; empty while there is none. */
  readonly codec: string;
  /** 0 to 1, linear. */
  readonly audioLevel: number;
  readonly totalAudioEnergy: number;
  readonly packetsLost: number;
  /** 0 to 1, of the packets since the last report. */
  readonly lossFraction: number;
  /** Seconds, of the sound. */
  readonly jitter: number;
}

export interface Statistics {
  readonly path: Path;
  /** By endpoint id: microphone and camera. */
  readonly remote: ReadonlyMap<string, RemoteStats>;
  /** By source: what is shared. */
  readonly screens: ReadonlyMap<string, RemoteStats>;
  /** Bits per second. */
  readonly sendBitrate: number;
  readonly receiveBitrate: number;
  /** Seconds; 0 while unknown. */
  readonly roundTrip: number;
  /** 0 to 1. */
  readonly lossFraction: number;
  readonly framesEncoded: number;
  /** Lines of the largest picture that goes out; 0 for none. */
  readonly sendHeight: number;
  /** 0 to 1, linear. */
  readonly ownAudioLevel: number;
  /** Whether a TURN server stands between. */
  readonly relayed: boolean;
  /** `udp` or `tcp`; empty while unknown. */
  readonly protocol: string;
}

/** Milliseconds on the page's own clock (`performance.now()`). */
export interface Timings {
  readonly joinStart?: number;
  readonly xmppConnected?: number;
  readonly roomJoined?: number;
  readonly offerReceived?: number;
  readonly transportConnected?: number;
  readonly channelOpen?: number;
  readonly firstRemoteFrame?: number;
}
