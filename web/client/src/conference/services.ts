/** The focus's services in a room: JSON messages from and to its address, and its IQs (docs/protocol/focus.md). */
import { readBreakouts, type BreakoutRoom } from './breakouts';
import { Emitter } from './emitter';
import { applyPoll, type Poll } from './polls';
import type { Room } from './room';
import { readSettings, type RoomSettings } from './room_settings';
import { first, text, xml, type Xml } from './xml';
import type { XmppConnection } from './xmpp';

export type ModeratedKind = 'audio' | 'video' | 'desktop';

/** Who may use a medium: everybody, or moderators and whom they allowed. */
export interface Moderation {
  readonly restricted: ReadonlySet<ModeratedKind>;
  /** Whether we may all the same, by medium. */
  readonly approved: ReadonlySet<ModeratedKind>;
  /** Whom moderators allowed, by medium; moderators only. */
  readonly allowed: ReadonlyMap<ModeratedKind, ReadonlySet<string>>;
}

/** What somebody can be reported for. */
export const MISCONDUCT = ['spam', 'harassment', 'other'] as const;
export type Misconduct = (typeof MISCONDUCT)[number];

export interface Reported {
  readonly id: string;
  readonly kind: Misconduct;
  /** In another room of the meeting, where the id says nothing; the main room has no name. */
  readonly elsewhere?: { readonly name: string; readonly room: string };
}

export interface SpeakerTime {
  readonly id: string;
  readonly name: string;
  /** Seconds. */
  readonly seconds: number;
}

interface Events {
  settings: RoomSettings;
  moderation: Moderation;
  polls: readonly Poll[];
  speakerTimes: readonly SpeakerTime[];
  /** A moderator asks for our voice or picture. */
  askedToUnmute: { kind: ModeratedKind; by: string };
  breakouts: readonly BreakoutRoom[];
  /** We are sent to another room of this meeting. */
  sentTo: BreakoutRoom;
  /** To moderators: somebody was reported. */
  reported: Reported;
  /** A moderator switched us off. */
  muted: { kind: ModeratedKind; by: string };
}

export const OPEN: Moderation = { restricted: new Set(), approved: new Set(), allowed: new Map() };

const JITMEET = 'http://jitsi.org/jitmeet';
const ROOM = 'urn:xmppconf:room';
const KINDS: readonly ModeratedKind[] = ['audio', 'video', 'desktop'];
const MAX_JSON = 256 * 1024;
const MAX_SPEAKERS = 1_000;

type Json = Readonly<Record<string, unknown>>;

export class RoomServices extends Emitter<Events> {
  private moderation = OPEN;
  private polls: readonly Poll[] = [];
  private breakouts: readonly BreakoutRoom[] = [];
  private readonly stop: () => void;

  constructor(private readonly xmpp: XmppConnection, private readonly room: Room, private readonly focus: string) {
    super();
    this.stop = xmpp.on('message', (message) => this.onMessage(message));
  }

  close(): void {
    this.stop();
  }

  /** Takes an IQ if it is the focus muting us. */
  take(iq: Xml): boolean {
    const mute = iq.children.find((c): c is Xml => typeof c !== 'string' && c.name === 'mute');
    const kind = mute && KINDS.find((one) => mute.ns === `${JITMEET}/${one}`);
    if (!mute || !kind || iq.attrs.type !== 'set' || !this.room.isFocus(iq.attrs.from)) return false;
    this.xmpp.reply(iq);
    if (text(mute) === 'true') this.emit('muted', { kind, by: nickOf(mute.attrs.actor) });
    return true;
  }

  /** Mutes somebody, or with `on` false tells the focus that we are about to speak again. */
  mute(kind: ModeratedKind, id: string, on = true): Promise<unknown> {
    return this.ask(xml('mute', { xmlns: `${JITMEET}/${kind}`, jid: `${this.room.jid}/${id}` }, String(on)));
  }

  muteAll(kind: ModeratedKind): Promise<unknown> {
    return this.ask(xml('mute-all', { xmlns: ROOM, media: kind }));
  }

  askToUnmute(kind: ModeratedKind, id: string): Promise<unknown> {
    return this.ask(xml('ask-to-unmute', { xmlns: ROOM, nick: id, media: kind }));
  }

  remove(id: string, ban: boolean): Promise<unknown> {
    return this.ask(xml('remove', { xmlns: ROOM, nick: id, ban }));
  }

  report(id: string, kind: Misconduct): Promise<unknown> {
    return this.ask(xml('report', { xmlns: ROOM, nick: id, kind }));
  }

  setModerator(realJid: string, on: boolean): Promise<unknown> {
    const item = xml('item', { jid: realJid.split('/')[0], affiliation: on ? 'owner' : 'member' });
    const query = xml('query', { xmlns: 'http://jabber.org/protocol/muc#admin' }, item);
    return this.xmpp.request(xml('iq', { type: 'set', to: this.room.jid }, query));
  }

  change(settings: Partial<Record<'access' | 'password' | 'wait-for-host' | 'max-participants' | 'start-audio-muted' | 'start-video-muted', string | number | boolean>>): Promise<unknown> {
    return this.ask(xml('settings', { xmlns: ROOM, ...settings }));
  }

  async invitation(role: 'participant' | 'moderator', expires: number, singleUse: boolean): Promise<string> {
    const answer = await this.ask(xml('invite', { xmlns: ROOM, role, expires, 'single-use': singleUse }));
    const token = first(answer, 'invite')?.attrs.token;
    if (!token) throw new Error('the answer has no token');
    return token;
  }

  restrict(kind: ModeratedKind, on: boolean): void {
    this.tell(xml('av_moderation', { xmlns: JITMEET, enable: on, mediaType: kind }));
  }

  allow(kind: ModeratedKind, id: string, on: boolean): void {
    this.tell(xml('av_moderation', { xmlns: JITMEET, [on ? 'jidToWhitelist' : 'jidToBlacklist']: `${this.room.jid}/${id}`, mediaType: kind }));
  }

  addBreakout(name: string): void {
    this.breakout('add', { subject: name });
  }

  removeBreakout(jid: string): void {
    this.breakout('remove', { breakoutRoomJid: jid });
  }

  /** `person` is a full real address. */
  sendTo(person: string, jid: string): void {
    this.breakout('move-to-room', { participantJid: person, roomJid: jid });
  }

  private breakout(what: string, about: Readonly<Record<string, string>>): void {
    this.tell(xml('breakout_rooms', { xmlns: JITMEET, type: `features/breakout-rooms/${what}`, ...about }));
  }

  endForAll(): void {
    this.tell(xml('end_conference', { xmlns: JITMEET }));
  }

  askSpeakerTimes(): void {
    this.tell(xml('speakerstats', { xmlns: JITMEET, room: this.room.jid }));
  }

  /** We are the dominant speaker now. */
  speaking(): void {
    this.tell(xml('speakerstats', { xmlns: JITMEET, room: this.room.jid, silence: false }));
  }

  sendPoll(payload: Json): void {
    this.tell(xml('json-message', { xmlns: JITMEET }, JSON.stringify({ type: 'polls', ...payload })));
  }

  private ask(payload: Xml): Promise<Xml> {
    return this.xmpp.request(xml('iq', { type: 'set', to: this.room.focusAddress }, payload));
  }

  private tell(payload: Xml): void {
    this.xmpp.send(xml('message', { to: this.focus }, payload));
  }

  private onMessage(message: Xml): void {
    if (message.attrs.from !== this.focus || message.attrs.type === 'error') return;
    const body = text(first(message, 'json-message', JITMEET));
    if (!body || body.length > MAX_JSON) return;
    const json: unknown = JSON.parse(body);
    if (isJson(json)) this.dispatch(json);
  }

  private dispatch(json: Json): void {
    switch (json.type) {
      case 'room_metadata':
        if (isJson(json.metadata)) this.emit('settings', readSettings(json.metadata));
        break;
      case 'av_moderation':
        this.moderation = moderated(this.moderation, json);
        this.emit('moderation', this.moderation);
        break;
      case 'ask_to_unmute': {
        const kind = kindOf(json.mediaType);
        if (kind) this.emit('askedToUnmute', { kind, by: nickOf(json.actor) });
        break;
      }
      case 'report': {
        const kind = MISCONDUCT.find((one) => one === json.kind);
        if (kind && typeof json.nick === 'string') {
          const { nick: id, name, room } = json;
          const elsewhere = typeof name === 'string' && typeof room === 'string' ? { name, room } : undefined;
          this.emit('reported', { id, kind, ...(elsewhere && { elsewhere }) });
        }
        break;
      }
      case 'breakout_rooms': {
        if (json.rooms !== undefined) {
          this.breakouts = readBreakouts(json.rooms, this.room.jid.split('@')[1] ?? '');
          this.emit('breakouts', this.breakouts);
        }
        const there = this.breakouts.find((one) => one.jid === json.roomJid);
        if (there && there.jid !== this.room.jid) this.emit('sentTo', there);
        break;
      }
      case 'polls':
        this.polls = applyPoll(this.polls, json);
        this.emit('polls', this.polls);
        break;
      case 'speakerstats':
        if (isJson(json.users)) this.emit('speakerTimes', readSpeakerTimes(json.users));
        break;
    }
  }
}

export function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function kindOf(value: unknown): ModeratedKind | undefined {
  return KINDS.find((kind) => kind === value);
}

/** The nickname in an occupant's address. */
function nickOf(address: unknown): string {
  return typeof address === 'string' ? address.slice(address.indexOf('/') + 1) : '';
}

/** The state after one message of the stock component (focus.md, A/V moderation). */
export function moderated(before: Moderation, json: Json): Moderation {
  const kind = kindOf(json.mediaType);
  if (!kind) return before;
  const flip = (set: ReadonlySet<ModeratedKind>, on: boolean) => new Set([...set].filter((one) => one !== kind).concat(on ? kind : []));
  if (typeof json.enabled === 'boolean') {
    return { restricted: flip(before.restricted, json.enabled), approved: flip(before.approved, false), allowed: new Map([...before.allowed].filter(([one]) => one !== kind)) };
  }
  if (isJson(json.whitelists)) {
    const list = json.whitelists[kind];
    return { ...before, allowed: new Map(before.allowed).set(kind, new Set(Array.isArray(list) ? list.map(nickOf) : [])) };
  }
  return { ...before, approved: flip(before.approved, json.approved === true && json.removed !== true) };
}

export function readSpeakerTimes(users: Json): SpeakerTime[] {
  return Object.entries(users).slice(0, MAX_SPEAKERS).flatMap(([id, entry]) => {
    if (!isJson(entry)) return [];
    const milliseconds = Number(entry.totalDominantSpeakerTime);
    return Number.isFinite(milliseconds) && milliseconds >= 0 ? [{ id, name: String(entry.displayName ?? ''), seconds: milliseconds / 1000 }] : [];
  });
}
