/** The words the modules of the conference library share. */

export type Kind = 'audio' | 'video';
export type VideoType = 'camera' | 'desktop';

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

/** Our own track as announced to the focus. */
export interface LocalSource {
  readonly kind: Kind;
  readonly name: string;
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
  /** Whether the bridge forwards this participant's video to us now. */
  readonly forwarded: boolean;
  /** False while the bridge hears nothing from this participant. */
  readonly active: boolean;
  readonly moderator: boolean;
  /** When the hand went up; undefined while it is down. */
  readonly raisedHand?: number;
}

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
  /** 0 to 1, linear. */
  readonly audioLevel: number;
  readonly totalAudioEnergy: number;
  readonly packetsLost: number;
}

export interface Statistics {
  /** By endpoint id. */
  readonly remote: ReadonlyMap<string, RemoteStats>;
  /** Bits per second. */
  readonly sendBitrate: number;
  readonly receiveBitrate: number;
  /** Seconds; 0 while unknown. */
  readonly roundTrip: number;
  /** 0 to 1. */
  readonly lossFraction: number;
  readonly framesEncoded: number;
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
