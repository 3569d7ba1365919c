/**
 * A conference as an application sees it: connect, join, leave, and events about everything else.
 *
 * Order of a join, as far as possible at the same time: devices, XMPP login, conference request;
 * then the room; then the focus's offer, answered at once.
 */
import { Backoff } from './backoff';
import { capsElement, capsVersion, discoInfo, isDiscoInfo } from './caps';
import type { ConferenceConfig } from './config';
import { LocalMedia } from './devices';
import { Emitter } from './emitter';
import { Entrance } from './entrance';
import { failureOf, JoinError } from './errors';
import type { Credentials } from './focus_request';
import { randomHex } from './ids';
import { RoomMedia } from './media';
import { Meeting } from './meeting';
import { Own } from './own';
import { Room } from './room';
import { Roster } from './roster';
import { ScreenCapture } from './screen';
import type { ChatMessage, ConferenceState, FailureReason, Participant, Path, Statistics, Timings, View, Waiting } from './types';
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
  /** Through the bridge, or directly from browser to browser. */
  path: Path;
  /** Whether a screen of ours is shared now. */
  sharing: boolean;
  statistics: Statistics;
}

/** Where media stopped the server is given so long to answer: a short break of the network is no other one. */
const STALLED_PROBE_MS = 3_000;
/** How long others are given to come back to a room that the server had lost. */
const RETURN_MS = 30_000;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export class Conference extends Emitter<ConferenceEvents> {
  readonly local: LocalMedia;
  readonly meeting: Meeting;
  readonly screen = new ScreenCapture();
  private readonly roomJid: string;
  private readonly entrance: Entrance;
  private current: ConferenceEvents['state'] = { state: 'idle' };
  private connection: Promise<XmppConnection> | undefined;
  private xmpp: XmppConnection | undefined;
  /** The name of the last connection. */
  private stream: string | undefined;
  private room: Room | undefined;
  private media: RoomMedia | undefined;
  private readonly roster = new Roster((source) => this.media?.stream(source));
  private readonly own: Own;
  private view: View = { sizes: new Map(), onStage: [], audioOnly: false };
  private directAllowed = true;
  private abort = new AbortController();
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  private missing = new Set<string>();
  private missingTimer: ReturnType<typeof setTimeout> | undefined;
  private backoff = new Backoff();
  private times: Mutable<Timings> = {};

  constructor(private readonly config: ConferenceConfig, room: string, local = new LocalMedia(), credentials: Credentials = { machineUid: randomHex(16) }) {
    super();
    this.local = local;
    this.own = new Own(local, this.screen);
    this.roomJid = `${room}@${config.rooms}`;
    this.meeting = new Meeting(config.focus, config.lobbies, local, this.own);
    this.entrance = new Entrance(config, this.roomJid, credentials, (waiting) => this.setState('waiting', undefined, waiting));
    local.on('changed', (kind) => {
      this.publish();
      const key = kind === 'audio' ? 'a0' : 'v0';
      this.media?.setTrack(key, this.own.tracks().get(key));
    });
    this.screen.on('changed', () => {
      this.publish();
      for (const key of ['v1', 'a1'] as const) this.media?.setTrack(key, this.own.tracks().get(key));
      this.emit('sharing', this.screen.video !== undefined);
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

  get connectionStates(): { ice: string; dtls: string; channel: string; direct: string } {
    return this.media?.states ?? { ice: 'none', dtls: 'none', channel: 'none', direct: 'none' };
  }

  get path(): Path {
    return this.media?.path ?? 'bridge';
  }

  /**
   * Emoji that both of two directly connected people see alike, if nobody is between them;
   * undefined where there is no direct session.
   */
  compareSigns(): Promise<readonly string[] | undefined> {
    return this.media?.direct.signs() ?? Promise.resolve(undefined);
  }

  /** Logs in ahead of `join`, so that joining has less to wait for. */
  preconnect(): void {
    this.connect().catch(() => undefined); // join() tries again and reports.
  }

  /** Enters the room under `name`; the outcome comes as `state`. */
  join(name: string): void {
    this.own.name = name;
    this.times = { joinStart: performance.now() };
    this.backoff = new Backoff();
    this.setState('connecting');
    void this.enter();
  }

  leave(): void {
    if (this.current.state === 'left') return;
    this.media?.leave();
    this.room?.leave();
    this.tearDown();
    this.disconnect();
    this.screen.stop();
    this.local.close();
    this.setState('left');
  }

  setName(name: string): void {
    this.own.name = name;
    this.publish();
  }

  /** The room's password, while `state` is waiting for it or for the lobby. */
  givePassword(password: string): void {
    this.setState('connecting');
    this.entrance.givePassword(password);
  }

  raiseHand(up: boolean): void {
    this.own.raisedHand = up ? Date.now() : undefined;
    this.publish();
  }

  /** Writes to everybody, or to one participant. */
  sendChat(text: string, to?: string, replyTo?: string): void {
    this.room?.sendChat(text, to, replyTo);
  }

  sendEndpointMessage(payload: object, to = ''): boolean {
    return this.media?.sendMessage(payload, to) ?? false;
  }

  /** Says what of the conference is on the screen; nothing else is asked for. */
  setView(view: View): void {
    this.view = view;
    this.media?.setView(view);
  }

  /** Whether two people may be connected directly, which tells each the address of the other. */
  allowDirect(allowed: boolean): void {
    this.directAllowed = allowed;
    this.media?.occupantsChanged(allowed);
  }

  /** The network may have changed or the machine slept: find out now what still works. */
  retryNow(): void {
    if (this.current.waiting === 'host') void this.enter();
    else if (this.retryTimer !== undefined) {
      clearTimeout(this.retryTimer);
      this.retryTimer = undefined;
      void this.enter();
    } else {
      const answered = this.xmpp?.probe() ?? Promise.resolve();
      void this.media?.networkChanged(answered);
      // Who has just found out that the network is another one need not wait for it to come back.
      void answered.then(() => this.retryTimer !== undefined && this.retryNow());
    }
  }

  /** The application shows the first frame of somebody else: the end of the join's clock. */
  firstFrameShown(): void {
    this.times.firstRemoteFrame ??= performance.now();
  }

  private connect(): Promise<XmppConnection> {
    if (!this.connection) {
      const name = randomHex(16);
      const attempt: Promise<XmppConnection> = XmppConnection.open(this.config, name, this.stream).then((xmpp) => {
        this.stream = name;
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
          if (this.current.state !== 'idle') this.reconnect(true);
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
      if (version) this.own.caps = capsElement(version);
      await this.entrance.pass(this.connect(), (xmpp, focusJid) => this.open(xmpp, focusJid), () => this.own.presence(), abort.signal);
      if (abort.signal.aborted) return;
      this.times.roomJoined ??= performance.now();
      this.backoff.succeeded(performance.now());
      this.setState('joined');
      this.awaitMissing();
      this.media?.returned();
      this.media?.occupantsChanged(this.directAllowed);
      this.publish(); // What changed while the join was under way.
    } catch (error) {
      if (abort.signal.aborted) return;
      // Our old self is still there under our name: the server has not noticed yet that it is gone.
      if (error instanceof JoinError && error.condition === 'conflict') this.tearDown();
      const reason = failureOf(error);
      // Who was in the call belongs to it: if it has to be opened again, it is asked for until there is room.
      const goesOn = reason === 'overloaded' && this.times.roomJoined !== undefined;
      if (reason && !goesOn) this.fail(reason);
      else this.reconnect(true);
    }
  }

  private open(xmpp: XmppConnection, focusJid: string): Room {
    const { media, room: old } = this;
    const sid = media?.sid;
    const room = (this.room = new Room(xmpp, this.roomJid, focusJid, old && { id: old.id, sid }));
    this.follow(room);
    this.meeting.attach(xmpp, room);
    if (media && sid !== undefined) media.rebind(xmpp, room);
    else {
      media?.close();
      this.carry(new RoomMedia({ xmpp, room }, this.roster, () => this.own.tracks(), () => this.own.videoTypes()));
    }
    return room;
  }

  /** Whoever is missing after we were away may be on the way back too, as after the server's restart. */
  private awaitMissing(): void {
    this.missing = new Set(this.roster.ids.filter((id) => !this.room?.has(id)));
    this.missing.forEach((id) => this.roster.setActive(id, false));
    this.changed();
    this.missingTimer = setTimeout(() => this.missing.forEach((id) => this.gone(id)), RETURN_MS);
  }

  /**
   * After a pause that grows: login, request, room; and media too, unless only the server is lost:
   * then what the bridge sends goes on, and the focus knows the session by its name.
   */
  private reconnect(keepMedia = false): void {
    if (keepMedia && this.media?.sid !== undefined) {
      this.detach();
      this.media.signallingLost();
    } else this.tearDown();
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
    this.screen.stop();
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

  private dropMedia(): void {
    const { media } = this;
    this.media = undefined;
    media?.close();
  }

  /** Stops listening to the room. */
  private detach(): void {
    this.abort.abort();
    clearTimeout(this.retryTimer);
    clearTimeout(this.missingTimer);
    this.retryTimer = undefined;
    this.meeting.detach();
    this.room?.close();
  }

  private tearDown(): void {
    this.detach();
    this.dropMedia();
    this.room = undefined;
    this.roster.clear();
    this.emit('dominantSpeaker', undefined);
    this.emit('path', 'bridge');
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
      if (this.missing.delete(occupant.id)) this.roster.setActive(occupant.id, true);
      if (this.current.state === 'joined') this.media?.occupantsChanged(this.directAllowed);
      this.changed();
      if (isNew) this.emit('joined', this.roster.participant(occupant.id)!);
    });
    room.on('gone', ({ id }) => this.gone(id));
    room.on('removed', (how) => {
      if (how === 'left') this.reconnect();
      else this.fail(how);
    });
    // Without the focus nobody is invited; it returns, or its restart makes the room anew.
    room.on('focusGone', () => this.reconnect());
    room.on('refused', (refused) => this.emit('chatRefused', refused));
    room.on('chat', (message) => this.emit('chat', message.own ? { ...message, name: this.own.name } : message));
  }

  private gone(id: string): void {
    const participant = this.roster.participant(id);
    this.roster.remove(id);
    this.media?.left(id);
    this.media?.occupantsChanged(this.directAllowed);
    this.changed();
    if (participant) this.emit('left', participant);
  }

  private publish(): void {
    this.room?.update(this.own.presence());
  }

  private changed(): void {
    this.emit('participants', this.roster.participants());
  }

  private onRequest(xmpp: XmppConnection, iq: Xml): void {
    const query = isDiscoInfo(iq);
    if (this.media?.take(iq) || this.meeting.take(iq)) return;
    if (query && iq.attrs.type === 'get') xmpp.reply(iq, discoInfo(query.attrs.node));
    else if (iq.children.some((c) => typeof c !== 'string' && c.ns === 'urn:xmpp:ping')) xmpp.reply(iq);
  }

  private carry(media: RoomMedia): void {
    this.media = media;
    media.setView(this.view);
    media.on('changed', () => this.changed());
    // A browser does not always say that the network is another one, and this is how it shows.
    media.on('stalled', () => this.media === media && void this.xmpp?.probe(STALLED_PROBE_MS));
    media.on('lost', () => {
      if (this.media !== media) return;
      // While the server is away nobody can be asked for a new session: that comes with the room.
      if (this.current.state === 'reconnecting') this.dropMedia();
      else this.reconnect();
    });
    media.on('media', (state) => this.emit('media', this.media === media ? state : 'none'));
    media.on('startMuted', (kinds) => this.meeting.startMuted(kinds));
    media.on('path', (path) => this.emit('path', path));
    media.on('speaker', (id) => {
      if (id !== undefined && id === this.room?.id) this.meeting.speaking();
      this.emit('dominantSpeaker', id);
    });
    media.on('offered', () => (this.times.offerReceived ??= performance.now()));
    media.on('connected', () => (this.times.transportConnected ??= performance.now()));
    media.on('channelOpen', () => (this.times.channelOpen ??= performance.now()));
    media.on('statistics', (statistics) => this.emit('statistics', statistics));
    media.on('endpointMessage', (message) => this.emit('endpointMessage', message));
  }
}
