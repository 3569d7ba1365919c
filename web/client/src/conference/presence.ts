/** What a MUC presence says of a participant, and what ours says. */
import { all, elements, first, text, xml, type Xml } from './xml';
import { parseSourceName, sourceName } from './ids';
import type { Kind, VideoType } from './types';

const FOCUS = 'urn:xmppconf:focus:0';
const MUC = 'http://jabber.org/protocol/muc';
const MUC_USER = `${MUC}#user`;
const NICK = 'http://jabber.org/protocol/nick';
const MAX_NAME = 80;

export interface Occupant {
  readonly id: string;
  readonly realJid: string;
  readonly name: string;
  readonly audioMuted: boolean;
  readonly videoMuted: boolean;
  readonly videoType: VideoType;
  /** Names of the sources that show something besides the camera, and of those with its sound. */
  readonly screens: readonly string[];
  readonly screenAudio: readonly string[];
  readonly codecs: readonly string[];
  readonly moderator: boolean;
  /** When the hand went up, in ms since the epoch as the other's clock says; undefined while it is down. */
  readonly raisedHand?: number;
}

export type Departure = 'left' | 'kicked' | 'room-full' | 'room-closed';

export interface OwnPresence {
  readonly nick: string;
  readonly audioMuted: boolean;
  readonly videoMuted: boolean;
  /** Undefined until a screen has been shared once: then whether one is, and whether with sound. */
  readonly screen?: { readonly shared: boolean; readonly audio: boolean };
  readonly caps?: Xml;
  readonly raisedHand?: number;
}

export const CODECS: readonly string[] = ['vp8', 'vp9', 'av1', 'h264'];

/** The join presence has `<x/>` of MUC; the later ones do not (XEP-0045, 7.2). */
/** `joining` is there in the presence that enters the room; `sid` names a session that goes on. */
export function ownPresence(to: string, id: string, own: OwnPresence, joining?: { readonly password?: string; readonly sid?: string }): Xml {
  const info = {
    [sourceName(id, 'a0')]: { muted: own.audioMuted },
    [sourceName(id, 'v0')]: { muted: own.videoMuted },
    ...(own.screen && {
      [sourceName(id, 'v1')]: { muted: !own.screen.shared, videoType: 'desktop' },
      [sourceName(id, 'a1')]: { muted: !own.screen.audio },
    }),
  };
  return xml('presence', { to },
    joining ? xml('x', { xmlns: MUC }, xml('history', { maxstanzas: 0 }), joining.password ? xml('password', {}, joining.password) : undefined) : undefined,
    joining?.sid === undefined ? undefined : xml('session', { xmlns: FOCUS, sid: joining.sid }),
    own.caps,
    xml('nick', { xmlns: NICK }, own.nick),
    xml('SourceInfo', {}, JSON.stringify(info)),
    xml('audiomuted', {}, String(own.audioMuted)),
    xml('videomuted', {}, String(own.videoMuted)),
    xml('jitsi_participant_codecList', {}, CODECS.join(',')),
    own.raisedHand === undefined ? undefined : xml('jitsi_participant_raisedHand', {}, String(own.raisedHand)));
}

export function readOccupant(presence: Xml): Occupant {
  const from = presence.attrs.from ?? '';
  const id = from.slice(from.indexOf('/') + 1);
  const item = first(first(presence, 'x', MUC_USER), 'item');
  const { audio, video, screens, screenAudio } = readSourceInfo(presence, id);
  const codecs = text(first(presence, 'jitsi_participant_codecList')).toLowerCase().split(',').filter(Boolean).slice(0, 16);
  return {
    id,
    realJid: item?.attrs.jid ?? '',
    name: readName(text(first(presence, 'nick', NICK))),
    audioMuted: audio.muted,
    videoMuted: video.muted,
    videoType: video.videoType,
    screens,
    screenAudio,
    codecs,
    moderator: item?.attrs.role === 'moderator',
    raisedHand: readHand(text(first(presence, 'jitsi_participant_raisedHand'))),
  };
}

/** Stock clients write the time, older ones `true`, and nothing or `false` for a hand that is down. */
function readHand(value: string): number | undefined {
  if (value === '' || value === 'false') return undefined;
  const time = Number(value);
  return Number.isFinite(time) ? time : 0;
}

// Control characters, line ends, and what would turn the text around it.
const UNFIT = /[\p{Cc}\u2028\u2029\u202A-\u202E\u2066-\u2069]/gu;

/** A display name as it may stand among our own texts: one line, not endless. */
export function readName(name: string): string {
  return [...name.slice(0, 4 * MAX_NAME).replace(UNFIT, ' ').replace(/\s+/g, ' ').trim()].slice(0, MAX_NAME).join('').trim();
}

interface SourceState {
  muted: boolean;
  videoType: VideoType;
}

/** More than anybody shares at once. */
const MAX_SCREENS = 4;

/** What no more people may begin to send, as the focus's presence says it. */
export function readLimits(presence: Xml): ReadonlySet<Kind> {
  const found = first(presence, 'conference-properties');
  const properties = found ? elements(found).filter((one) => one.attrs.value === 'true').map((one) => one.attrs.key) : [];
  return new Set((['audio', 'video'] as const).filter((kind) => properties.includes(`${kind}-limit-reached`)));
}

function readSourceInfo(presence: Xml, id: string): { audio: SourceState; video: SourceState } & Pick<Occupant, 'screens' | 'screenAudio'> {
  const audio: SourceState = { muted: text(first(presence, 'audiomuted')) !== 'false', videoType: 'camera' };
  const video: SourceState = { muted: text(first(presence, 'videomuted')) !== 'false', videoType: 'camera' };
  let info: Record<string, { muted?: unknown; videoType?: unknown } | null> = {};
  try {
    const parsed: unknown = JSON.parse(text(first(presence, 'SourceInfo')) || '{}');
    if (typeof parsed === 'object' && parsed !== null) info = parsed as typeof info;
  } catch {
    // Somebody's broken presence: he counts as muted.
  }
  for (const [state, key] of [[audio, sourceName(id, 'a0')], [video, sourceName(id, 'v0')]] as const) {
    const entry = info[key];
    if (!entry) continue;
    state.muted = entry.muted !== false;
    state.videoType = entry.videoType === 'desktop' ? 'desktop' : 'camera';
  }
  const further = Object.keys(info).filter((name) => {
    const { owner } = parseSourceName(name) ?? {};
    return owner === id && info[name]?.muted === false && !name.endsWith('-a0') && !name.endsWith('-v0');
  }).sort();
  const of = (kind: string) => further.filter((name) => parseSourceName(name)!.kind === kind).slice(0, MAX_SCREENS);
  return { audio, video, screens: of('video'), screenAudio: of('audio') };
}

export function statusCodes(presence: Xml): Set<string> {
  return new Set(all(first(presence, 'x', MUC_USER) ?? xml('x'), 'status').map((s) => s.attrs.code ?? ''));
}

/** Why an unavailable presence says its occupant is gone. */
export function departure(presence: Xml): Departure {
  if (first(first(presence, 'x', MUC_USER), 'destroy')) return 'room-closed';
  if (!['301', '307'].some((code) => statusCodes(presence).has(code))) return 'left';
  // The focus sends away who came in past its answer: that is no removal by a person, and who asks again is told to wait.
  const reason = text(first(first(first(presence, 'x', MUC_USER), 'item'), 'reason'));
  return reason === 'full' ? 'room-full' : reason === 'waiting-for-host' ? 'left' : 'kicked';
}

/** The condition of an error stanza, with its legacy-free name. */
export function errorCondition(presence: Xml): string {
  const error = first(presence, 'error');
  return (error && elements(error).find((e) => e.name !== 'text')?.name) ?? 'undefined-condition';
}
