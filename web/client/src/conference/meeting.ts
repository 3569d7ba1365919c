/**
 * What is decided together in a room: roles, muting, the lobby, polls, the room's set-up.  Lives as
 * long as its conference, through reconnects; `attach` and `detach` follow the room.
 */
import type { BreakoutRoom } from './breakouts';
import type { LocalMedia } from './devices';
import { Emitter } from './emitter';
import { randomHex } from './ids';
import { LobbyWatch, type Visitor } from './lobby';
import type { Own } from './own';
import type { Poll } from './polls';
import type { Room } from './room';
import { UNKNOWN, type RoomSettings } from './room_settings';
import { OPEN, RoomServices, type Misconduct, type ModeratedKind, type Moderation, type Reported, type SpeakerTime } from './services';
import type { Kind } from './types';
import type { Xml } from './xml';
import type { XmppConnection } from './xmpp';

export interface MeetingEvents {
  /** Whether we are a moderator. */
  moderator: boolean;
  settings: RoomSettings;
  moderation: Moderation;
  polls: readonly Poll[];
  speakerTimes: readonly SpeakerTime[];
  askedToUnmute: { kind: ModeratedKind; by: string };
  muted: { kind: ModeratedKind; by: string };
  reported: Reported;
  breakouts: readonly BreakoutRoom[];
  sentTo: BreakoutRoom;
  lobby: readonly Visitor[];
  subject: string;
}

export class Meeting extends Emitter<MeetingEvents> {
  private services: RoomServices | undefined;
  private room: Room | undefined;
  private xmpp: XmppConnection | undefined;
  private watch: LobbyWatch | undefined;
  private settings = UNKNOWN;
  private moderation = OPEN;
  /** Media that the focus switched off: it wants to hear before they come again. */
  private readonly forced = new Set<ModeratedKind>();

  private begun = false;

  constructor(
    private readonly focus: string, private readonly lobbies: string | undefined, private readonly local: LocalMedia, private readonly own: Own,
  ) {
    super();
    local.on('changed', (kind) => this.onLocal(kind));
  }

  /** Whether rooms can have a lobby here. */
  get hasLobby(): boolean {
    return this.lobbies !== undefined;
  }

  attach(xmpp: XmppConnection, room: Room): void {
    this.detach();
    this.xmpp = xmpp;
    this.room = room;
    const services = (this.services = new RoomServices(xmpp, room, this.focus));
    services.on('settings', (settings) => {
      this.settings = settings;
      this.emit('settings', settings);
      this.watchLobby();
    });
    services.on('moderation', (moderation) => {
      this.moderation = moderation;
      this.emit('moderation', moderation);
    });
    services.on('polls', (polls) => this.emit('polls', polls));
    services.on('speakerTimes', (times) => this.emit('speakerTimes', times));
    services.on('askedToUnmute', (asked) => this.emit('askedToUnmute', asked));
    services.on('breakouts', (rooms) => this.emit('breakouts', rooms));
    services.on('sentTo', (there) => this.emit('sentTo', there));
    services.on('reported', (report) => this.emit('reported', report));
    services.on('muted', (muted) => {
      this.forced.add(muted.kind);
      if (muted.kind !== 'desktop') void this.local.setEnabled(muted.kind, false);
      this.emit('muted', muted);
    });
    room.on('moderator', (on) => {
      this.emit('moderator', on);
      this.watchLobby();
    });
    room.on('subject', (subject) => this.emit('subject', subject));
  }

  detach(): void {
    this.watch?.close();
    this.watch = undefined;
    this.services?.close();
    this.services = undefined;
    this.room = undefined;
    this.settings = UNKNOWN;
    this.moderation = OPEN;
    this.forced.clear();
    this.emit('moderation', OPEN);
  }

  /** Takes an IQ if it is for us, and answers it. */
  take(iq: Xml): boolean {
    return this.services?.take(iq) ?? false;
  }

  /** What the first offer asks of a newcomer: everything after it is one's own choice. */
  startMuted(kinds: readonly Kind[]): void {
    if (this.begun) return;
    this.begun = true;
    for (const kind of kinds) {
      if (this.local.muted(kind)) continue;
      void this.local.setEnabled(kind, false);
      this.emit('muted', { kind, by: '' });
    }
  }

  /** Why we may not switch this on now: a moderator has to allow it, or too many do it already. */
  hindrance(kind: ModeratedKind): 'moderated' | 'full' | undefined {
    const { restricted, approved } = this.moderation;
    if (restricted.has(kind) && !approved.has(kind) && this.room?.moderator !== true) return 'moderated';
    // Who shows a picture already may show another.
    const sent = kind === 'audio' ? 'audio' : 'video';
    return this.room?.full.has(sent) && !this.own.sends(sent) ? 'full' : undefined;
  }

  mute(kind: ModeratedKind, id: string): Promise<unknown> {
    return this.through((services) => services.mute(kind, id));
  }

  muteAll(kind: ModeratedKind): Promise<unknown> {
    return this.through((services) => services.muteAll(kind));
  }

  askToUnmute(kind: ModeratedKind, id: string): Promise<unknown> {
    return this.through((services) => services.askToUnmute(kind, id));
  }

  remove(id: string, ban: boolean): Promise<unknown> {
    return this.through((services) => services.remove(id, ban));
  }

  report(id: string, kind: Misconduct): Promise<unknown> {
    return this.through((services) => services.report(id, kind));
  }

  setModerator(id: string, on: boolean): Promise<unknown> {
    const realJid = this.room?.realJid(id);
    return this.through((services) => (realJid ? services.setModerator(realJid, on) : Promise.reject(new Error('gone'))));
  }

  change(settings: Parameters<RoomServices['change']>[0]): Promise<unknown> {
    return this.through((services) => services.change(settings));
  }

  /** A link's token that carries a role. */
  invitation(role: 'participant' | 'moderator', expires: number, singleUse: boolean): Promise<string> {
    return this.through((services) => services.invitation(role, expires, singleUse));
  }

  restrict(kind: ModeratedKind, on: boolean): void {
    this.services?.restrict(kind, on);
  }

  allow(kind: ModeratedKind, id: string, on: boolean): void {
    this.services?.allow(kind, id, on);
  }

  addBreakout(name: string): void {
    this.services?.addBreakout(name);
  }

  removeBreakout(jid: string): void {
    this.services?.removeBreakout(jid);
  }

  sendTo(person: string, jid: string): void {
    this.services?.sendTo(person, jid);
  }

  endForAll(): void {
    this.services?.endForAll();
  }

  setSubject(subject: string): void {
    this.room?.setSubject(subject);
  }

  admit(visitor: string): void {
    this.watch?.admit(visitor);
  }

  deny(visitor: string): Promise<void> {
    return this.watch?.deny(visitor) ?? Promise.resolve();
  }

  askSpeakerTimes(): void {
    this.services?.askSpeakerTimes();
  }

  /** We have become the dominant speaker. */
  speaking(): void {
    this.services?.speaking();
  }

  openPoll(question: string, options: readonly string[]): void {
    this.services?.sendPoll({ command: 'new-poll', pollId: randomHex(8), question, answers: options.map((name) => ({ name })) });
  }

  vote(poll: string, chosen: readonly boolean[]): void {
    this.services?.sendPoll({ command: 'answer-poll', pollId: poll, answers: chosen });
  }

  private through<T>(act: (services: RoomServices) => Promise<T>): Promise<T> {
    return this.services ? act(this.services) : Promise.reject(new Error('not in a room'));
  }

  private onLocal(kind: Kind): void {
    if (!this.forced.has(kind) || this.local.muted(kind) || !this.room) return;
    this.forced.delete(kind);
    this.through((services) => services.mute(kind, this.room!.id, false)).catch(() => {
      // Not allowed yet: others would hear nothing, so we do not pretend.
      this.forced.add(kind);
      void this.local.setEnabled(kind, false);
    });
  }

  private watchLobby(): void {
    const { xmpp, room } = this;
    const wanted = this.hasLobby && this.settings.lobby && room?.moderator === true;
    if (wanted && !this.watch && xmpp) {
      const lobby = `${room.jid.split('@')[0]}@${this.lobbies}`;
      this.watch = new LobbyWatch({ xmpp, room: room.jid, lobby, nick: room.id });
      this.watch.on('changed', (visitors) => this.emit('lobby', visitors));
    } else if (!wanted && this.watch) {
      this.watch.close();
      this.watch = undefined;
    }
  }
}
