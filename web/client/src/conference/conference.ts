/**
 * A conference as an application sees it: connect, join, leave, and events about everything else.
 *
 * Order of a join, as far as possible at the same time: devices, XMPP login, conference request;
 * then the room; then the focus's offer, answered at once.
 */
import { Backoff } from './backoff';
import { capsElement, capsVersion, discoInfo, isDiscoInfo } from './caps';
import type { ConferenceConfig } from './config';
import { receiverConstraints, type TileSizes } from './constraints';
import { LocalMedia } from './devices';
import { Emitter } from './emitter';
import { Entrance } from './entrance';
import { failureOf } from './errors';
import type { Credentials } from './focus_request';
import { randomHex, sourceName } from './ids';
import { Invitation } from './invitation';
import { Meeting } from './meeting';
import type { OwnPresence } from './presence';
import { Reporter } from './reporter';
import { Room } from './room';
import { Roster } from './roster';
import type { MediaSession } from './session';
import type { ChatMessage, ConferenceState, FailureReason, Participant, Statistics, Timings, Waiting } from './types';
import type { Xml } from './xml';
import { XmppConnection } from './xmpp';

export interface ConferenceEvents {
  state: { state: ConferenceState; reason?: FailureReason; waiting?: Waiting };
  participants: readonly Participant[];
  joined: Participant;
  left: Participant;
  dominantSpeaker: string | undefined;
  chat: ChatMessage;
  /** What we wrote did not reach its readers. */
  chatRefused: { condition: string };
  endpointMessage: { from: string; payload: object };
  /** Media flows, stands still, or has not begun. */
  media: 'none' | 'connected' | 'interrupted';
  statistics: Statistics;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export class Conference extends Emitter<ConferenceEvents> {
  readonly local: LocalMedia;
  readonly meeting: Meeting;
  private readonly roomJid: string;
  private readonly entrance: Entrance;
  private current: ConferenceEvents['state'] = { state: 'idle' };
  private connection: Promise<XmppConnection> | undefined;
  private xmpp: XmppConnection | undefined;
  private room: Room | undefined;
  private invitation: Invitation | undefined;
  private reporter: Reporter | undefined;
  private readonly roster = new Roster((id, kind) => this.session?.stream(id, kind));
  private speaker: string | undefined;
  private sizes: TileSizes = new Map();
  private abort = new AbortController();
  private name = '';
  private raisedHand: number | undefined;
  private caps: Xml | undefined;
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  private backoff = new Backoff();
  private times: Mutable<Timings> = {};

  constructor(private readonly config: ConferenceConfig, room: string, local = new LocalMedia(), credentials: Credentials = { machineUid: randomHex(16) }) {
    super();
    this.local = local;
    this.roomJid = `${room}@${config.rooms}`;
    this.meeting = new Meeting(config.focus, local);
    this.entrance = new Entrance(config, this.roomJid, credentials, (waiting) => this.setState('waiting', undefined, waiting));
    local.on('changed', (kind) => {
      this.publish();
      void this.session?.setTrack(kind, local.track(kind));
      if (kind === 'video') this.announceVideo();
    });
  }

  get state(): ConferenceState {
    return this.current.state;
  }

  get endpointId(): string | undefined {
    return this.room?.id;
  }

  get timings(): Timings {
    return this.times;
  }

  get connectionStates(): { ice: string; dtls: string; channel: string } {
    const pc = this.session?.pc;
    return {
      ice: pc?.iceConnectionState ?? 'none', dtls: pc?.connectionState ?? 'none',
      channel: this.session?.channel.transport ?? 'none',
    };
  }

  /** Logs in ahead of `join`, so that joining has less to wait for. */
  preconnect(): void {
    this.connect().catch(() => undefined); // join() tries again and reports.
  }

  /** Enters the room under `name`; the outcome comes as `state`. */
  join(name: string): void {
    this.name = name;
    this.times = { joinStart: performance.now() };
    this.backoff = new Backoff();
    this.setState('connecting');
    void this.enter();
  }

  leave(): void {
    if (this.current.state === 'left') return;
    this.invitation?.leave();
    this.room?.leave();
    this.tearDown();
    this.disconnect();
    this.local.close();
    this.setState('left');
  }

  setName(name: string): void {
    this.name = name;
    this.publish();
  }

  /** The room's password, while `state` is waiting for it or for the lobby. */
  givePassword(password: string): void {
    this.setState('connecting');
    this.entrance.givePassword(password);
  }

  raiseHand(up: boolean): void {
    this.raisedHand = up ? Date.now() : undefined;
    this.publish();
  }

  /** Writes to everybody, or to one participant. */
  sendChat(text: string, to?: string, replyTo?: string): void {
    this.room?.sendChat(text, to, replyTo);
  }

  sendEndpointMessage(payload: object, to = ''): boolean {
    return this.session?.channel.send({ colibriClass: 'EndpointMessage', to, msgPayload: payload }) ?? false;
  }

  /** How large each participant is shown, in device pixels; who is missing is not shown at all. */
  setTileSizes(sizes: TileSizes): void {
    this.sizes = sizes;
    this.sendConstraints();
  }

  /** The network may have changed or the machine slept: find out now what still works. */
  retryNow(): void {
    if (this.current.waiting === 'host') void this.enter();
    else if (this.retryTimer !== undefined) {
      clearTimeout(this.retryTimer);
      this.retryTimer = undefined;
      void this.enter();
    } else void this.xmpp?.probe();
  }

  /** The application shows the first frame of somebody else: the end of the join's clock. */
  firstFrameShown(): void {
    this.times.firstRemoteFrame ??= performance.now();
  }

  private get session(): MediaSession | undefined {
    return this.invitation?.session;
  }

  private connect(): Promise<XmppConnection> {
    if (!this.connection) {
      const attempt: Promise<XmppConnection> = XmppConnection.open(this.config).then((xmpp) => {
        if (this.connection !== attempt) {
          xmpp.close(); // We left or began anew meanwhile.
          throw new Error('superseded');
        }
        this.xmpp = xmpp;
        this.times.xmppConnected ??= performance.now();
        xmpp.on('request', (iq) => this.onRequest(xmpp, iq));
        xmpp.on('closed', () => {
          if (this.xmpp !== xmpp) return;
          this.connection = undefined;
          this.xmpp = undefined;
          // Before the call it is opened anew when somebody joins.
          if (this.current.state !== 'idle') this.reconnect();
        });
        return xmpp;
      });
      this.connection = attempt;
      attempt.catch(() => {
        if (this.connection === attempt) this.connection = undefined;
      });
    }
    return this.connection;
  }

  /** Login, conference request, room; the focus's offer follows by itself. */
  private async enter(): Promise<void> {
    this.abort.abort();
    const abort = (this.abort = new AbortController());
    try {
      const version = await capsVersion();
      if (version) this.caps = capsElement(version);
      await this.entrance.pass(this.connect(), (xmpp, focusJid) => this.open(xmpp, focusJid), () => this.presence(), abort.signal);
      if (abort.signal.aborted) return;
      this.times.roomJoined ??= performance.now();
      this.backoff.succeeded(performance.now());
      this.setState('joined');
      this.publish(); // What changed while the join was under way.
    } catch (error) {
      if (abort.signal.aborted) return;
      const reason = failureOf(error);
      if (reason) this.fail(reason);
      else this.reconnect();
    }
  }

  private open(xmpp: XmppConnection, focusJid: string): Room {
    this.invitation?.close();
    const room = (this.room = new Room(xmpp, this.roomJid, focusJid));
    this.follow(room);
    this.meeting.attach(xmpp, room);
    this.invite(new Invitation(xmpp, room, this.local, () => this.roster.commonCodec()));
    return room;
  }

  /** Everything anew after a pause that grows: login, request, room, session. */
  private reconnect(): void {
    this.tearDown();
    this.disconnect();
    this.setState('reconnecting');
    this.retryTimer = setTimeout(() => {
      this.retryTimer = undefined;
      void this.enter();
    }, this.backoff.next(performance.now(), Math.random()));
  }

  private fail(reason: FailureReason): void {
    this.tearDown();
    this.disconnect();
    this.local.close();
    this.setState('failed', reason);
  }

  private disconnect(): void {
    const { xmpp } = this;
    // Forgotten first: only a connection that ends by itself is a reason to reconnect.
    this.connection = undefined;
    this.xmpp = undefined;
    xmpp?.close();
  }

  private tearDown(): void {
    this.abort.abort();
    clearTimeout(this.retryTimer);
    this.retryTimer = undefined;
    const { invitation } = this;
    this.invitation = undefined;
    invitation?.close();
    this.meeting.detach();
    this.room?.close();
    this.room = undefined;
    this.roster.clear();
    this.setSpeaker(undefined);
    this.changed();
  }

  private setState(state: ConferenceState, reason?: FailureReason, waiting?: Waiting): void {
    if (this.current.state === state && this.current.reason === reason && this.current.waiting === waiting) return;
    this.current = { state, reason, waiting };
    this.emit('state', this.current);
  }

  private follow(room: Room): void {
    room.on('occupant', (occupant) => {
      const isNew = this.roster.put(occupant, performance.now());
      this.invitation?.expect();
      this.invitation?.setCodec(this.roster.commonCodec());
      this.changed();
      if (isNew) this.emit('joined', this.roster.participant(occupant.id)!);
    });
    room.on('gone', ({ id }) => {
      const participant = this.roster.participant(id);
      this.roster.remove(id);
      this.session?.removeOwner(id);
      if (this.roster.size === 0) this.invitation?.expectNothing();
      if (this.speaker === id) this.setSpeaker(undefined);
      this.changed();
      if (participant) this.emit('left', participant);
    });
    room.on('removed', (how) => {
      if (how === 'left') this.reconnect();
      else this.fail(how);
    });
    // Without the focus nobody is invited; it returns, or its restart makes the room anew.
    room.on('focusGone', () => this.reconnect());
    room.on('refused', (refused) => this.emit('chatRefused', refused));
    room.on('chat', (message) => this.emit('chat', message.own ? { ...message, name: this.name } : message));
  }

  private presence(): OwnPresence {
    return { nick: this.name, audioMuted: this.local.muted('audio'), videoMuted: this.local.muted('video'), caps: this.caps, raisedHand: this.raisedHand };
  }

  private publish(): void {
    this.room?.update(this.presence());
  }

  private changed(): void {
    this.emit('participants', this.roster.participants());
  }

  private setSpeaker(id: string | undefined): void {
    if (this.speaker === id) return;
    this.speaker = id;
    if (id !== undefined && id === this.room?.id) this.meeting.speaking();
    this.emit('dominantSpeaker', id);
    this.sendConstraints();
  }

  private onRequest(xmpp: XmppConnection, iq: Xml): void {
    const query = isDiscoInfo(iq);
    if (this.invitation?.take(iq) || this.meeting.take(iq)) return;
    if (query && iq.attrs.type === 'get') xmpp.reply(iq, discoInfo(query.attrs.node));
    else if (iq.children.some((c) => typeof c !== 'string' && c.ns === 'urn:xmpp:ping')) xmpp.reply(iq);
  }

  private invite(invitation: Invitation): void {
    this.invitation = invitation;
    invitation.on('tracks', () => this.changed());
    invitation.on('lost', () => this.invitation === invitation && this.reconnect());
    invitation.on('media', (media) => {
      if (media === 'connected') this.times.transportConnected ??= performance.now();
      // Somebody is there and a new session is due: that is no state of rest.
      this.emit('media', media === 'none' && this.invitation === invitation && this.roster.size > 0 ? 'interrupted' : media);
    });
    invitation.on('session', (session) => {
      this.reporter?.close();
      this.reporter = undefined;
      this.roster.forwarded = undefined;
      if (session) {
        this.times.offerReceived ??= performance.now();
        this.listen(session);
        this.reporter = new Reporter(session, (statistics) => this.emit('statistics', statistics));
      } else if (this.roster.size > 0) invitation.expect();
      this.changed();
    });
  }

  private listen(session: MediaSession): void {
    const { channel } = session;
    channel.on('open', () => {
      this.times.channelOpen ??= performance.now();
      this.announceVideo();
      this.sendConstraints();
    });
    channel.on('mapped', (sources) => session.add(sources));
    channel.on('dominantSpeaker', ({ id }) => this.setSpeaker(this.roster.has(id) || id === this.room?.id ? id : undefined));
    channel.on('forwarded', (names) => {
      this.roster.forwarded = names;
      this.changed();
    });
    channel.on('senderConstraint', ({ source, maxHeight }) => {
      if (this.room && source === sourceName(this.room.id, 'video')) session.constrainVideo(maxHeight);
    });
    channel.on('connectivity', ({ id, active }) => {
      this.roster.setActive(id, active);
      this.changed();
    });
    channel.on('endpointMessage', (message) => this.emit('endpointMessage', message));
  }

  private announceVideo(): void {
    if (!this.room) return;
    this.session?.channel.send({
      colibriClass: 'SourceVideoTypeMessage', sourceName: sourceName(this.room.id, 'video'),
      videoType: this.local.muted('video') ? 'none' : 'camera',
    });
  }

  private sendConstraints(): void {
    this.session?.channel.send({ colibriClass: 'ReceiverVideoConstraints', ...receiverConstraints(this.sizes, this.speaker) });
  }
}
