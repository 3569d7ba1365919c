/**
 * A conference as an application sees it: connect, join, leave, and events about everything else.
 *
 * Order of a join, as far as possible at the same time: devices, XMPP login, conference request;
 * then the room; then the focus's offer, answered at once.
 */
import { capsElement, capsVersion, discoInfo, isDiscoInfo } from './caps';
import type { ConferenceConfig } from './config';
import { LocalMedia } from './devices';
import { Emitter } from './emitter';
import { requestConference, RequestRefused } from './focus_request';
import { sourceName } from './ids';
import { jingleOf, NS, readOffer, readSources, sessionAccept, sessionTerminate } from './jingle';
import { CODECS, type Occupant, type OwnPresence } from './presence';
import { receiverConstraints, type TileSizes } from './constraints';
import { JoinError, Room } from './room';
import { MediaSession } from './session';
import { StatsReader, type Report } from './stats';
import type { ChatMessage, ConferenceState, FailureReason, Participant, Statistics, Timings } from './types';
import { xml, type Xml } from './xml';
import { StanzaError, XmppConnection } from './xmpp';

export interface ConferenceEvents {
  state: { state: ConferenceState; reason?: FailureReason };
  participants: readonly Participant[];
  joined: Participant;
  left: Participant;
  dominantSpeaker: string | undefined;
  chat: ChatMessage;
  endpointMessage: { from: string; payload: object };
  /** Media flows, stands still, or has not begun. */
  media: 'none' | 'connected' | 'interrupted';
  statistics: Statistics;
}

const STATS_MS = 1_000;
const REPORT_MS = 10_000;
const RETRY_MS = 1_000;
const MAX_RETRY_MS = 30_000;
/** An interrupted transport gets this long before a new session is asked for. */
const INTERRUPTED_MS = 8_000;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export class Conference extends Emitter<ConferenceEvents> {
  readonly local: LocalMedia;
  private readonly roomJid: string;
  private current: { state: ConferenceState; reason?: FailureReason } = { state: 'idle' };
  private connection: Promise<XmppConnection> | undefined;
  private xmpp: XmppConnection | undefined;
  private room: Room | undefined;
  private session: MediaSession | undefined;
  private readonly occupants = new Map<string, Occupant & { joinedAt: number }>();
  private readonly inactive = new Set<string>();
  private forwarded: ReadonlySet<string> | undefined;
  private speaker: string | undefined;
  private sizes: TileSizes = new Map();
  private abort = new AbortController();
  private name = '';
  private caps: Xml | undefined;
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  private repairTimer: ReturnType<typeof setTimeout> | undefined;
  private statsTimer: ReturnType<typeof setInterval> | undefined;
  private attempts = 0;
  private times: Mutable<Timings> = {};

  constructor(private readonly config: ConferenceConfig, room: string, local = new LocalMedia()) {
    super();
    this.local = local;
    this.roomJid = `${room}@${config.rooms}`;
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
    this.attempts = 0;
    this.setState('connecting');
    void this.enter();
  }

  leave(): void {
    if (this.current.state === 'left') return;
    if (this.session && this.room) this.jingle(sessionTerminate(this.session.offer, 'success', false)).catch(() => undefined);
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

  sendChat(text: string): void {
    this.room?.sendChat(text);
  }

  sendEndpointMessage(payload: object, to = ''): boolean {
    return this.session?.channel.send({ colibriClass: 'EndpointMessage', to, msgPayload: payload }) ?? false;
  }

  /** How large each participant is shown, in device pixels; who is missing is not shown at all. */
  setTileSizes(sizes: TileSizes): void {
    this.sizes = sizes;
    this.sendConstraints();
  }

  /** The network is said to be back: do not wait for the next attempt. */
  retryNow(): void {
    if (this.current.state === 'reconnecting' && this.retryTimer !== undefined) {
      clearTimeout(this.retryTimer);
      this.retryTimer = undefined;
      void this.enter();
    }
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
        xmpp.on('request', (iq) => this.onRequest(iq));
        xmpp.on('closed', () => {
          if (this.xmpp !== xmpp) return;
          this.connection = undefined;
          this.xmpp = undefined;
          if (this.current.state === 'joined') this.reconnect();
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

  private async enter(): Promise<void> {
    this.abort.abort();
    const abort = (this.abort = new AbortController());
    try {
      const connecting = this.connect();
      const [focus, xmpp, version] = await Promise.all([
        requestConference(this.config, this.roomJid, connecting, abort.signal), connecting, capsVersion(),
      ]);
      if (abort.signal.aborted) return;
      if (version) this.caps = capsElement(version);
      const room = (this.room = new Room(xmpp, this.roomJid, focus.focusJid));
      this.follow(room);
      await room.join(this.presence());
      if (abort.signal.aborted) return;
      this.times.roomJoined ??= performance.now();
      this.attempts = 0;
      this.setState('joined');
      this.statsTimer ??= setInterval(() => void this.readStats(), STATS_MS);
      this.publish(); // What changed while the join was under way.
    } catch (error) {
      if (abort.signal.aborted) return;
      this.room?.close();
      const reason = failureOf(error);
      if (reason !== 'server-unreachable') this.fail(reason);
      else this.reconnect();
    }
  }

  /** Everything anew after a pause that grows: login, request, room, session. */
  private reconnect(): void {
    this.tearDown();
    this.disconnect();
    this.setState('reconnecting');
    const base = Math.min(RETRY_MS * 2 ** this.attempts++, MAX_RETRY_MS);
    this.retryTimer = setTimeout(() => {
      this.retryTimer = undefined;
      void this.enter();
    }, base * (0.5 + Math.random() / 2));
  }

  private fail(reason: FailureReason): void {
    this.tearDown();
    this.disconnect();
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
    clearInterval(this.statsTimer);
    this.statsTimer = undefined;
    this.endSession();
    this.room?.close();
    this.room = undefined;
    this.occupants.clear();
    this.inactive.clear();
    this.setSpeaker(undefined);
    this.changed();
  }

  private setState(state: ConferenceState, reason?: FailureReason): void {
    if (this.current.state === state && this.current.reason === reason) return;
    this.current = { state, reason };
    this.emit('state', this.current);
  }

  // The room.

  private follow(room: Room): void {
    room.on('occupant', (occupant) => {
      const known = this.occupants.get(occupant.id);
      this.occupants.set(occupant.id, { ...occupant, joinedAt: known?.joinedAt ?? performance.now() });
      this.changed();
      if (!known) this.emit('joined', this.participant(occupant.id)!);
    });
    room.on('gone', ({ id }) => {
      const participant = this.participant(id);
      this.occupants.delete(id);
      this.inactive.delete(id);
      this.session?.removeOwner(id);
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
    room.on('chat', (message) => this.emit('chat', message.own ? { ...message, name: this.name } : message));
  }

  private presence(): OwnPresence {
    return { nick: this.name, audioMuted: this.local.muted('audio'), videoMuted: this.local.muted('video'), caps: this.caps };
  }

  private publish(): void {
    this.room?.update(this.presence());
  }

  private participant(id: string): Participant | undefined {
    const occupant = this.occupants.get(id);
    return occupant && {
      id, name: occupant.name, joinedAt: occupant.joinedAt,
      audioMuted: occupant.audioMuted, videoMuted: occupant.videoMuted, videoType: occupant.videoType,
      audio: this.session?.stream(id, 'audio'), video: this.session?.stream(id, 'video'),
      forwarded: this.forwarded?.has(sourceName(id, 'video')) ?? true,
      active: !this.inactive.has(id),
    };
  }

  private changed(): void {
    this.emit('participants', [...this.occupants.keys()].map((id) => this.participant(id)!));
  }

  private setSpeaker(id: string | undefined): void {
    if (this.speaker === id) return;
    this.speaker = id;
    this.emit('dominantSpeaker', id);
  }

  // The media session.

  private onRequest(iq: Xml): void {
    const xmpp = this.xmpp;
    if (!xmpp) return;
    const query = isDiscoInfo(iq);
    const jingle = jingleOf(iq);
    if (query && iq.attrs.type === 'get') xmpp.reply(iq, discoInfo(query.attrs.node));
    else if (iq.children.some((c) => typeof c !== 'string' && c.ns === 'urn:xmpp:ping')) xmpp.reply(iq);
    else if (jingle && iq.attrs.type === 'set') this.onJingle(xmpp, iq, jingle);
  }

  private onJingle(xmpp: XmppConnection, iq: Xml, jingle: Xml): void {
    const { action, sid } = jingle.attrs;
    if (!this.room?.isFocus(iq.attrs.from)) {
      xmpp.refuse(iq, 'cancel', 'item-not-found');
      return;
    }
    if (action === 'session-initiate') {
      xmpp.reply(iq);
      void this.accept(jingle, iq.attrs.from!);
      return;
    }
    const session = this.session;
    if (!session || session.offer.sid !== sid) {
      xmpp.refuse(iq, 'cancel', 'item-not-found', xml('unknown-session', { xmlns: 'urn:xmpp:jingle:errors:1' }));
      return;
    }
    xmpp.reply(iq);
    if (action === 'source-add') session.add(readSources(jingle));
    else if (action === 'source-remove') session.remove(readSources(jingle));
    else if (action === 'session-terminate') {
      this.endSession();
      this.changed();
    }
  }

  private async accept(jingle: Xml, from: string): Promise<void> {
    const { room, xmpp } = this;
    if (!room || !xmpp) return;
    this.times.offerReceived ??= performance.now();
    this.endSession();
    let session: MediaSession | undefined;
    try {
      const offer = readOffer(jingle, from);
      session = this.session = new MediaSession(offer, room.id, this.codec());
      this.watch(session);
      const before = { audio: this.local.track('audio'), video: this.local.track('video') };
      const answer = await session.answer(before);
      for (const kind of ['audio', 'video'] as const) {
        if (this.local.track(kind) !== before[kind]) await session.setTrack(kind, this.local.track(kind));
      }
      await this.jingle(sessionAccept(offer, answer, xmpp.jid));
      this.changed();
    } catch (error) {
      if (session && this.session !== session) return;
      console.error('the offer could not be accepted:', error);
      if (this.current.state === 'joined') this.reconnect();
    }
  }

  /** The first codec of ours that everybody can decode. */
  private codec(): string {
    const others = [...this.occupants.values()].filter((o) => o.codecs.length > 0);
    return CODECS.find((codec) => others.every((o) => o.codecs.includes(codec))) ?? 'vp8';
  }

  private jingle(payload: Xml): Promise<Xml> {
    return this.xmpp!.request(xml('iq', { type: 'set', to: this.room!.focusAddress }, { ...payload, ns: NS.jingle }));
  }

  private watch(session: MediaSession): void {
    const current = () => this.session === session;
    session.on('tracks', () => current() && this.changed());
    session.on('connected', () => {
      if (!current()) return;
      clearTimeout(this.repairTimer);
      this.times.transportConnected ??= performance.now();
      this.emit('media', 'connected');
    });
    session.on('interrupted', () => {
      if (!current()) return;
      this.emit('media', 'interrupted');
      clearTimeout(this.repairTimer);
      this.repairTimer = setTimeout(() => void this.repair(session), INTERRUPTED_MS);
    });
    session.on('failed', () => void this.repair(session));
    const { channel } = session;
    channel.on('open', () => {
      this.times.channelOpen ??= performance.now();
      this.announceVideo();
      this.sendConstraints();
    });
    channel.on('mapped', (sources) => session.add(sources));
    channel.on('dominantSpeaker', ({ id }) => this.setSpeaker(id));
    channel.on('forwarded', (names) => {
      this.forwarded = names;
      this.changed();
    });
    channel.on('senderConstraint', ({ source, maxHeight }) => {
      if (this.room && source === sourceName(this.room.id, 'video')) session.constrainVideo(maxHeight);
    });
    channel.on('connectivity', ({ id, active }) => {
      if (active) this.inactive.delete(id);
      else this.inactive.add(id);
      this.changed();
    });
    channel.on('endpointMessage', (message) => this.emit('endpointMessage', message));
  }

  /** Media is gone for good: ask the focus for a new session, or start over. */
  private async repair(session: MediaSession): Promise<void> {
    if (this.session !== session) return;
    this.emit('media', 'interrupted');
    const ask = sessionTerminate(session.offer, 'connectivity-error', true);
    this.endSession();
    this.changed();
    try {
      await this.jingle(ask);
    } catch {
      if (this.current.state === 'joined' && !this.session) this.reconnect();
    }
  }

  private endSession(): void {
    clearTimeout(this.repairTimer);
    if (!this.session) return;
    this.session.close();
    this.session = undefined;
    this.forwarded = undefined;
    this.emit('media', 'none');
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

  private reported = 0;
  private readonly reader = new StatsReader();

  private async readStats(): Promise<void> {
    const session = this.session;
    if (!session) return;
    const reports: Report[] = [];
    (await session.pc.getStats()).forEach((report: Report) => reports.push(report));
    if (this.session !== session) return;
    const statistics = this.reader.read(reports, (mid) => session.slotAt(mid)?.owner);
    this.emit('statistics', statistics);
    if (performance.now() - this.reported < REPORT_MS) return;
    this.reported = performance.now();
    session.channel.send({
      colibriClass: 'EndpointStats',
      bitrate: { upload: Math.round(statistics.sendBitrate / 1000), download: Math.round(statistics.receiveBitrate / 1000) },
      packetLoss: { total: Math.round(100 * statistics.lossFraction) },
      connectionQuality: Math.round(100 * (1 - Math.min(1, 5 * statistics.lossFraction))),
      jvbRTT: Math.round(1000 * statistics.roundTrip),
    });
  }

  /** The application shows the first frame of somebody else: the end of the join's clock. */
  firstFrameShown(): void {
    this.times.firstRemoteFrame ??= performance.now();
  }
}

function failureOf(error: unknown): FailureReason {
  if (error instanceof RequestRefused) return 'not-authorized';
  if (!(error instanceof JoinError)) return error instanceof StanzaError ? 'unknown' : 'server-unreachable';
  switch (error.condition) {
    case 'service-unavailable':
      return 'room-full';
    case 'not-authorized':
      return 'password-required';
    case 'registration-required':
      return 'members-only';
    case 'forbidden':
      return 'not-authorized';
    default:
      // not-allowed too: the room was closed between the focus's answer and our presence.
      return 'server-unreachable';
  }
}
