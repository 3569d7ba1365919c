/** One media session, with the bridge or with a peer: a peer connection and what flows on its m-lines. */
import { Emitter } from './emitter';
import { kindOf } from './ids';
import type { Answer } from './jingle';
import { addSimulcast, FIRST_SOURCES, firstSlotMid, readLocal, readLocalSource, remoteDescription } from './sdp';
import { SenderShaper } from './sender';
import { Slots, type Slot } from './slots';
import type { LocalSource, Offer, RemoteSource, SourceKey } from './types';

interface Events {
  /** Remote tracks came, went or changed hands. */
  tracks: void;
  /** One more source of ours is sent, and the other side has to be told. */
  announce: LocalSource;
  connected: void;
  /** Media stopped for the moment; it may come back by itself. */
  interrupted: void;
  failed: void;
}

/** Our tracks by source; what is missing is silent or dark. */
export type Tracks = ReadonlyMap<SourceKey, MediaStreamTrack>;

export interface SessionOptions {
  /** Our endpoint id. */
  readonly endpoint: string;
  readonly codec: string;
  /** Whether the camera goes out in several sizes, of which a bridge can choose. */
  readonly simulcast: boolean;
}

interface Outlet {
  readonly sender: RTCRtpSender;
  readonly shaper?: SenderShaper;
}

/** Without ICE servers the other side is reached directly, and by nobody's help. */
export function newPeerConnection(iceServers: readonly RTCIceServer[] = []): RTCPeerConnection {
  return new RTCPeerConnection({ bundlePolicy: 'max-bundle', rtcpMuxPolicy: 'require', iceServers: [...iceServers] });
}

/** Firefox reads no SIM group from a local description; it sends one encoding. */
export function canSimulcast(userAgent: string): boolean {
  return !/Firefox\//.test(userAgent);
}

export class MediaSession extends Emitter<Events> {
  private readonly slots: Slots;
  private readonly streams = new Map<string, MediaStream>();
  private readonly outlets = new Map<SourceKey, Outlet>();
  private readonly tracks = new Map<SourceKey, MediaStreamTrack>();
  private readonly limits = new Map<SourceKey, number>();
  private codec: string;
  private suspended = false;
  private version = 1;
  private queue: Promise<void> = Promise.resolve();
  private closed = false;

  /** `pc` has not been used, or has made the offer that `offer` answers. */
  constructor(readonly offer: Offer, private readonly options: SessionOptions, readonly pc: RTCPeerConnection) {
    super();
    this.codec = options.codec;
    this.slots = new Slots(firstSlotMid(offer));
    this.pc.onconnectionstatechange = () => this.stateChanged();
    offer.sources.forEach((source) => this.slots.put(source, performance.now()));
  }

  get isClosed(): boolean {
    return this.closed;
  }

  get isSuspended(): boolean {
    return this.suspended;
  }

  /** Answers the offer; what it returns goes into the session-accept. */
  answer(tracks: Tracks): Promise<Answer> {
    this.keep(tracks);
    const answer = this.firstAnswer();
    // Sources that come meanwhile are negotiated after it.
    this.queue = answer.then(() => undefined, () => undefined);
    return answer;
  }

  /** The peer accepted the offer that `pc` made. */
  accepted(tracks: Tracks): Promise<void> {
    this.keep(tracks);
    this.queue = (async () => {
      await this.pc.setRemoteDescription({ type: 'answer', sdp: remoteDescription(this.offer, [], this.codec, this.version++) });
      await this.adoptOutlets();
    })();
    const done = this.queue;
    // What the peer sends has m-lines of its own.
    this.changed(true);
    this.openExtra();
    return done;
  }

  /** Sends `track` as this source of ours, or nothing. */
  async setTrack(key: SourceKey, track: MediaStreamTrack | undefined): Promise<void> {
    if (this.closed) return;
    if (track) this.tracks.set(key, track);
    else this.tracks.delete(key);
    await this.feed(key);
    this.openExtra();
  }

  /** While suspended nothing is sent; the transport stays up. */
  suspend(on: boolean): void {
    if (this.suspended === on) return;
    this.suspended = on;
    for (const key of this.outlets.keys()) this.feed(key).catch(() => undefined); // The session is being closed.
  }

  /** Sends video with `codec` from now on, if that is another one. */
  setCodec(codec: string): void {
    if (codec === this.codec) return;
    this.codec = codec;
    this.changed(true);
  }

  /** How high a picture of this source of ours somebody wants: 0 for nobody, -1 for all there is. */
  constrain(key: SourceKey, maxHeight: number): void {
    this.limits.set(key, maxHeight);
    this.outlets.get(key)?.shaper?.constrain(maxHeight);
  }

  add(sources: readonly RemoteSource[]): void {
    let changed = false;
    for (const source of sources) if (source.owner !== this.options.endpoint) changed = this.slots.put(source, performance.now()) || changed;
    this.changed(changed);
  }

  remove(sources: readonly RemoteSource[]): void {
    this.changed(sources.map((s) => this.slots.remove(s.name)).some(Boolean));
  }

  /** Takes note of who is in the room. */
  look(present: (owner: string) => boolean): void {
    this.slots.look(present, performance.now());
  }

  receiver(source: string): RTCRtpReceiver | undefined {
    const slot = this.slots.bySource(source);
    return slot && this.pc.getTransceivers().find((t) => t.mid === slot.mid)?.receiver;
  }

  /** The stream of a source; the same object while its slot stays. */
  stream(source: string): MediaStream | undefined {
    const slot = this.slots.bySource(source);
    const track = slot && this.receiver(source)?.track;
    if (!slot || !track) return undefined;
    let stream = this.streams.get(slot.mid);
    if (stream?.getTracks()[0] !== track) this.streams.set(slot.mid, (stream = new MediaStream([track])));
    return stream;
  }

  /** Who is heard or seen on the m-line `mid`. */
  slotAt(mid: string): Slot | undefined {
    return this.slots.slots.find((s) => s.mid === mid && s.source !== '');
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.pc.onconnectionstatechange = null;
    this.pc.close();
    this.streams.clear();
  }

  private keep(tracks: Tracks): void {
    for (const [key, track] of tracks) this.tracks.set(key, track);
  }

  private async firstAnswer(): Promise<Answer> {
    await this.pc.setRemoteDescription({ type: 'offer', sdp: this.remoteSdp() });
    await this.adoptOutlets();
    const sdp = await this.setLocal();
    this.openExtra();
    return readLocal(sdp, this.offer.media.map((m) => m.kind), this.options.endpoint);
  }

  /** The first m-lines are ours to send on. */
  private async adoptOutlets(): Promise<void> {
    await Promise.all(this.offer.media.map((media, index) => this.openOutlet(FIRST_SOURCES[media.kind], String(index))));
  }

  private async openOutlet(key: SourceKey, mid: string): Promise<void> {
    const transceiver = this.pc.getTransceivers().find((t) => t.mid === mid);
    if (!transceiver || this.outlets.has(key)) return;
    transceiver.direction = 'sendonly';
    const shaper = kindOf(key) === 'video' ? new SenderShaper(transceiver.sender, this.limits.get(key)) : undefined;
    this.outlets.set(key, { sender: transceiver.sender, shaper });
    await this.feed(key);
  }

  /** Makes m-lines for those of our sources that none is sent on yet. */
  private openExtra(): void {
    const missing = [...this.tracks.keys()].filter((key) => !this.outlets.has(key) && !Object.values(FIRST_SOURCES).includes(key));
    if (missing.length) this.changed(missing.map((key) => this.slots.reserve(key)).some(Boolean));
  }

  private async feed(key: SourceKey): Promise<void> {
    const outlet = this.outlets.get(key);
    if (!outlet) return;
    await outlet.sender.replaceTrack(this.suspended ? null : this.tracks.get(key) ?? null);
    outlet.shaper?.apply();
  }

  private changed(renegotiate: boolean): void {
    if (!renegotiate) {
      this.emit('tracks', undefined);
      return;
    }
    this.queue = this.queue.then(async () => {
      if (this.closed || !this.pc.remoteDescription) return;
      try {
        await this.pc.setRemoteDescription({ type: 'offer', sdp: this.remoteSdp() });
        const opened = this.slots.slots.filter((s) => s.outgoing && !this.outlets.has(s.outgoing));
        for (const slot of opened) await this.openOutlet(slot.outgoing!, slot.mid);
        const sdp = await this.setLocal();
        this.emit('tracks', undefined);
        for (const slot of opened) {
          const source = readLocalSource(sdp, slot.mid, this.options.endpoint, slot.outgoing!);
          if (source) this.emit('announce', source);
        }
      } catch (error) {
        if (this.closed) return;
        console.error('renegotiation failed:', error);
        this.emit('failed', undefined);
      }
    });
  }

  private remoteSdp(): string {
    return remoteDescription(this.offer, this.slots.slots, this.codec, this.version++);
  }

  private async setLocal(): Promise<string> {
    const answer = await this.pc.createAnswer();
    let sdp = answer.sdp ?? '';
    const video = this.offer.media.findIndex((m) => m.kind === 'video');
    if (video >= 0 && this.options.simulcast) sdp = addSimulcast(sdp, String(video));
    await this.pc.setLocalDescription({ type: 'answer', sdp });
    for (const { shaper } of this.outlets.values()) shaper?.apply();
    return sdp;
  }

  private stateChanged(): void {
    switch (this.pc.connectionState) {
      case 'connected':
        this.emit('connected', undefined);
        break;
      case 'disconnected':
        this.emit('interrupted', undefined);
        break;
      case 'failed':
        this.emit('failed', undefined);
        break;
    }
  }
}
