/** Our side of the focus's invitations (Jingle): offers are answered, broken media is repaired. */
import type { LocalMedia } from './devices';
import { Emitter } from './emitter';
import { jingleOf, NS, readOffer, readSources, sessionAccept, sessionTerminate } from './jingle';
import type { Room } from './room';
import { MediaSession } from './session';
import { xml, type Xml } from './xml';
import type { XmppConnection } from './xmpp';

interface Events {
  /** An offer came; `undefined` says that the session ended. */
  session: MediaSession | undefined;
  /** Remote tracks came, went or changed hands. */
  tracks: void;
  media: 'none' | 'connected' | 'interrupted';
  /** Only a new beginning helps. */
  lost: void;
}

/** An interrupted transport gets this long before a new session is asked for. */
const INTERRUPTED_MS = 8_000;
/** How long the answer to a plea for a new session, and then the offer, may take. */
const OFFER_MS = 15_000;
/** Repairs that follow each other faster do not help. */
const REPAIR_MS = 5_000;

/** The Jingle sessions of one stay in a room, at most one at a time. */
export class Invitation extends Emitter<Events> {
  private current: MediaSession | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private repairedAt = -Infinity;
  private closed = false;

  constructor(
    private readonly xmpp: XmppConnection, private readonly room: Room, private readonly local: LocalMedia,
    private readonly codec: () => string,
  ) {
    super();
  }

  get session(): MediaSession | undefined {
    return this.current;
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
    } else if (!this.current || this.current.offer.sid !== sid) {
      this.xmpp.refuse(iq, 'cancel', 'item-not-found', xml('unknown-session', { xmlns: 'urn:xmpp:jingle:errors:1' }));
    } else {
      this.xmpp.reply(iq);
      this.follow(this.current, action, jingle);
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
    this.current?.setCodec(codec);
  }

  /** Ends the session and tells the focus. */
  leave(): void {
    if (this.current) this.send(sessionTerminate(this.current.offer, 'success', false)).catch(() => undefined);
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

  private async accept(jingle: Xml, from: string): Promise<void> {
    this.end();
    let session: MediaSession | undefined;
    try {
      const offer = readOffer(jingle, from);
      session = this.current = new MediaSession(offer, this.room.id, this.codec());
      this.watch(session);
      this.emit('session', session);
      const before = { audio: this.local.track('audio'), video: this.local.track('video') };
      const answer = await session.answer(before);
      for (const kind of ['audio', 'video'] as const) {
        if (this.local.track(kind) !== before[kind]) await session.setTrack(kind, this.local.track(kind));
      }
      await this.send(sessionAccept(offer, answer, this.xmpp.jid));
      this.emit('tracks', undefined);
    } catch (error) {
      if (this.closed || (session && this.current !== session)) return;
      console.error('the offer could not be accepted:', error);
      this.emit('lost', undefined);
    }
  }

  private watch(session: MediaSession): void {
    const current = () => this.current === session;
    session.on('tracks', () => current() && this.emit('tracks', undefined));
    session.on('connected', () => {
      if (!current()) return;
      this.cancel();
      this.emit('media', 'connected');
    });
    session.on('interrupted', () => {
      if (!current()) return;
      this.emit('media', 'interrupted');
      this.after(INTERRUPTED_MS, () => void this.repair(session));
    });
    session.on('failed', () => void this.repair(session));
  }

  /** Media is gone for good: asks the focus for a new session, or gives up. */
  private async repair(session: MediaSession): Promise<void> {
    if (this.current !== session) return;
    const hopeless = performance.now() - this.repairedAt < REPAIR_MS;
    this.repairedAt = performance.now();
    this.end();
    this.emit('media', 'interrupted');
    if (hopeless) {
      this.emit('lost', undefined);
      return;
    }
    this.expect();
    try {
      await this.send(sessionTerminate(session.offer, 'connectivity-error', true));
    } catch {
      if (!this.closed && !this.current) this.emit('lost', undefined);
    }
  }

  private end(): void {
    this.cancel();
    const session = this.current;
    if (!session) return;
    this.current = undefined;
    session.close();
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
