/** Our side of the focus's invitations (Jingle): offers are answered, broken media is repaired. */
import { BridgeChannel } from './channel';
import { Emitter } from './emitter';
import { StanzaError } from './errors';
import { requestIceServers } from './ice_servers';
import { jingleOf, NS, readOffer, readSources, sessionAccept, sessionTerminate, sourceAdd } from './jingle';
import type { Link } from './link';
import type { Room } from './room';
import { canSimulcast, MediaSession, newPeerConnection, type Tracks } from './session';
import type { Kind, Offer } from './types';
import { first, xml, type Xml } from './xml';
import type { XmppConnection } from './xmpp';

/** A session with the bridge and the channel that belongs to it. */
export interface BridgeSession {
  readonly media: MediaSession;
  readonly channel: BridgeChannel;
}

interface Events {
  /** An offer came; `undefined` says that the session ended. */
  session: BridgeSession | undefined;
  /** Remote tracks came, went or changed hands. */
  tracks: void;
  media: 'none' | 'connected' | 'interrupted';
  /** The room wants newcomers to begin without these. */
  startMuted: readonly Kind[];
  /** Nothing comes over the transport any more: the network may be another one. */
  stalled: void;
  /** Only a new beginning helps. */
  lost: void;
}

/** An interrupted transport gets this long before a new session is asked for. */
const INTERRUPTED_MS = 8_000;
/** How long the answer to a plea for a new session, and then the offer, may take. */
const OFFER_MS = 15_000;
/** Repairs that follow each other faster do not help. */
const REPAIR_MS = 5_000;
/** How a focus refuses what is about a session that it does not know. */
const NO_SESSION: ReadonlySet<string> = new Set(['bad-request', 'item-not-found']);
const START_MUTED = 'http://jitsi.org/jitmeet/start-muted';
const DATA_CHANNEL = 'JVB data channel';
const DATA_PROTOCOL = 'http://jitsi.org/protocols/colibri';

/** The Jingle sessions of one stay in a room, at most one at a time. */
export class Invitation extends Emitter<Events> {
  private current: BridgeSession | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private repairedAt = -Infinity;
  private closed = false;
  /** Ways to the bridge where UDP is blocked; found out before the offer comes. */
  private relays: RTCIceServer[] = [];

  /** Something of ours could not be announced, for want of a connection. */
  private unsaid = false;

  constructor(private readonly link: Link, private readonly tracks: () => Tracks, private readonly codec: () => string) {
    super();
    void this.findRelays();
  }

  private get xmpp(): XmppConnection {
    return this.link.xmpp;
  }

  private get room(): Room {
    return this.link.room;
  }

  get session(): MediaSession | undefined {
    return this.current?.media;
  }

  get channel(): BridgeChannel | undefined {
    return this.current?.channel;
  }

  /** Takes an IQ if it is one of Jingle, and answers it. */
  take(iq: Xml): boolean {
    const jingle = jingleOf(iq);
    if (!jingle || iq.attrs.type !== 'set') return false;
    const { action, sid } = jingle.attrs;
    if (!this.room.isFocus(iq.attrs.from)) {
      this.xmpp.refuse(iq, 'cancel', 'item-not-found');
    } else if (action === 'session-initiate') {
      this.xmpp.reply(iq);
      void this.accept(jingle, iq.attrs.from!);
    } else if (!this.current || this.current.media.offer.sid !== sid) {
      this.xmpp.refuse(iq, 'cancel', 'item-not-found', xml('unknown-session', { xmlns: 'urn:xmpp:jingle:errors:1' }));
    } else {
      this.xmpp.reply(iq);
      this.follow(this.current.media, action, jingle);
    }
    return true;
  }

  /** Somebody is there to talk with: an offer has to come. */
  expect(): void {
    if (this.current || this.timer !== undefined || this.closed) return;
    this.after(OFFER_MS, () => !this.current && this.emit('lost', undefined));
  }

  /** Nobody is there any more: no offer is due. */
  expectNothing(): void {
    if (this.current) return;
    this.cancel();
    this.emit('media', 'none');
  }

  setCodec(codec: string): void {
    this.current?.media.setCodec(codec);
  }

  /** Nothing comes over this session any more, and the focus can be reached: asks it for a new one. */
  async renew(session: MediaSession): Promise<void> {
    if (session.pc.connectionState !== 'connecting') await this.repair(session);
  }

  /** We are in the room again, with the session that runs or about to get a new one. */
  returned(): void {
    const { session } = this;
    if (session && (this.unsaid || session.pc.connectionState === 'disconnected')) void this.repair(session);
    this.unsaid = false;
  }

  /** Ends the session and tells the focus. */
  leave(): void {
    if (this.current) this.send(sessionTerminate(this.current.media.offer, 'success', false)).catch(() => undefined);
    this.close();
  }

  close(): void {
    this.closed = true;
    this.end();
  }

  private follow(session: MediaSession, action: string | undefined, jingle: Xml): void {
    if (action === 'source-add') session.add(readSources(jingle));
    else if (action === 'source-remove') session.remove(readSources(jingle));
    else if (action === 'session-terminate') this.end();
  }

  private async findRelays(): Promise<void> {
    this.relays = await requestIceServers(this.xmpp, 'bridge');
  }

  private async accept(jingle: Xml, from: string): Promise<void> {
    this.end();
    const muted = first(jingle, 'startmuted', START_MUTED)?.attrs ?? {};
    this.emit('startMuted', (['audio', 'video'] as const).filter((kind) => muted[kind] === 'true'));
    let session: MediaSession | undefined;
    try {
      const offer = readOffer(jingle, from);
      const opened = (this.current = this.open(offer));
      session = opened.media;
      this.watch(opened);
      this.emit('session', opened);
      const before = this.tracks();
      const answer = await session.answer(before);
      const now = this.tracks();
      for (const key of new Set([...before.keys(), ...now.keys()])) {
        if (before.get(key) !== now.get(key)) await session.setTrack(key, now.get(key));
      }
      await this.send(sessionAccept(offer, answer, this.xmpp.jid));
      this.emit('tracks', undefined);
    } catch (error) {
      if (this.closed || (session && this.current?.media !== session)) return;
      console.error('the offer could not be accepted:', error);
      this.emit('lost', undefined);
    }
  }

  private open(offer: Offer): BridgeSession {
    const pc = newPeerConnection(this.relays);
    const data = offer.sctpPort === undefined ? undefined : pc.createDataChannel(DATA_CHANNEL, { protocol: DATA_PROTOCOL, ordered: true });
    const options = { endpoint: this.room.id, codec: this.codec(), simulcast: canSimulcast(navigator.userAgent) };
    return { media: new MediaSession(offer, options, pc), channel: new BridgeChannel(data, offer.transport.webSockets[0]) };
  }

  private watch({ media: session, channel }: BridgeSession): void {
    const current = () => this.current?.media === session;
    session.on('tracks', () => current() && this.emit('tracks', undefined));
    session.on('connected', () => {
      channel.transportUp();
      if (!current()) return;
      this.cancel();
      this.emit('media', 'connected');
    });
    session.on('announce', (source) => {
      if (!current()) return;
      const { sid, initiator } = session.offer;
      this.send(sourceAdd(sid, initiator, source, source.kind)).catch((error: unknown) => {
        this.unsaid = true;
        console.warn('source not taken:', error);
      });
    });
    session.on('interrupted', () => {
      if (!current()) return;
      this.emit('media', 'interrupted');
      this.emit('stalled', undefined);
      this.after(INTERRUPTED_MS, () => void this.repair(session));
    });
    session.on('failed', () => void this.repair(session));
  }

  /** Media is gone for good: asks the focus for a new session, or gives up. */
  private async repair(session: MediaSession): Promise<void> {
    if (this.current?.media !== session) return;
    const hopeless = performance.now() - this.repairedAt < REPAIR_MS;
    this.repairedAt = performance.now();
    this.end();
    this.emit('media', 'interrupted');
    if (hopeless) {
      this.emit('lost', undefined);
      return;
    }
    this.expect();
    await this.findRelays(); // The credentials of the first time may be over.
    if (this.closed) return;
    try {
      await this.send(sessionTerminate(session.offer, 'connectivity-error', true));
    } catch (error) {
      // If the focus knows nothing of the old one any more, the offer of a new one is on its way.
      const unknown = error instanceof StanzaError && NO_SESSION.has(error.condition);
      if (!unknown && !this.closed && !this.current) this.emit('lost', undefined);
    }
  }

  private end(): void {
    this.cancel();
    const session = this.current;
    if (!session) return;
    this.current = undefined;
    session.channel.close();
    session.media.close();
    this.emit('session', undefined);
    this.emit('media', 'none');
  }

  private after(delay: number, act: () => void): void {
    this.cancel();
    this.timer = setTimeout(() => {
      this.timer = undefined;
      act();
    }, delay);
  }

  private cancel(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private send(payload: Xml): Promise<Xml> {
    return this.xmpp.request(xml('iq', { type: 'set', to: this.room.focusAddress }, { ...payload, ns: NS.jingle }));
  }
}
