/** One media session with the bridge: a peer connection, its slots, the bridge channel. */
import { BridgeChannel } from './channel';
import { Emitter } from './emitter';
import { randomHex, sourceName } from './ids';
import type { Answer } from './jingle';
import { addSimulcast, firstSlotMid, readAnswer, remoteDescription } from './sdp';
import { SenderShaper } from './sender';
import { Slots, type Slot } from './slots';
import type { Kind, Offer, RemoteSource } from './types';

interface Events {
  /** Remote tracks came, went or changed hands. */
  tracks: void;
  connected: void;
  /** Media stopped for the moment; it may come back by itself. */
  interrupted: void;
  failed: void;
}

/** The RTC configuration has no ICE servers: the bridge is reached directly, and by nobody's help. */
const RTC_CONFIGURATION: RTCConfiguration = { bundlePolicy: 'max-bundle', rtcpMuxPolicy: 'require', iceServers: [] };
const DATA_CHANNEL = 'JVB data channel';
const DATA_PROTOCOL = 'http://jitsi.org/protocols/colibri';

/** Firefox reads no SIM group from a local description; it sends one encoding. */
export function canSimulcast(userAgent: string): boolean {
  return !/Firefox\//.test(userAgent);
}

export class MediaSession extends Emitter<Events> {
  readonly channel: BridgeChannel;
  readonly pc: RTCPeerConnection;
  private readonly slots: Slots;
  private readonly streams = new Map<string, MediaStream>();
  private readonly senders = new Map<Kind, RTCRtpSender>();
  private shaper: SenderShaper | undefined;
  private version = 1;
  private queue: Promise<void> = Promise.resolve();
  private closed = false;

  constructor(readonly offer: Offer, private readonly endpoint: string, private codec: string) {
    super();
    this.slots = new Slots(firstSlotMid(offer));
    this.pc = new RTCPeerConnection(RTC_CONFIGURATION);
    this.pc.onconnectionstatechange = () => this.stateChanged();
    const data = offer.sctpPort === undefined
      ? undefined
      : this.pc.createDataChannel(DATA_CHANNEL, { protocol: DATA_PROTOCOL, ordered: true });
    this.channel = new BridgeChannel(data, offer.transport.webSockets[0]);
    offer.sources.forEach((source) => this.slots.put(source));
  }

  get isClosed(): boolean {
    return this.closed;
  }

  /** Negotiates; what it returns goes into the session-accept. */
  answer(tracks: Readonly<Record<Kind, MediaStreamTrack | undefined>>): Promise<Answer> {
    const answer = this.firstAnswer(tracks);
    // Sources that come meanwhile are negotiated after it.
    this.queue = answer.then(() => undefined, () => undefined);
    return answer;
  }

  private async firstAnswer(tracks: Readonly<Record<Kind, MediaStreamTrack | undefined>>): Promise<Answer> {
    await this.pc.setRemoteDescription({ type: 'offer', sdp: this.remoteSdp() });
    this.offer.media.forEach((media, index) => {
      const transceiver = this.pc.getTransceivers().find((t) => t.mid === String(index));
      if (!transceiver) return;
      transceiver.direction = 'sendonly';
      this.senders.set(media.kind, transceiver.sender);
      if (media.kind === 'video') this.shaper = new SenderShaper(transceiver.sender);
    });
    await Promise.all((['audio', 'video'] as const).map((kind) => this.senders.get(kind)?.replaceTrack(tracks[kind] ?? null)));
    const sdp = await this.setLocal();
    this.shaper?.apply();
    const track = randomHex(8);
    return readAnswer(sdp, this.offer.media.map((m) => m.kind), (kind) => ({
      name: sourceName(this.endpoint, kind), msid: `${this.endpoint}-${kind}-0-1 ${track}-${kind}`,
    }));
  }

  async setTrack(kind: Kind, track: MediaStreamTrack | undefined): Promise<void> {
    if (this.closed) return;
    await this.senders.get(kind)?.replaceTrack(track ?? null);
    if (kind === 'video') this.shaper?.apply();
  }

  /** Sends video with `codec` from now on, if that is another one. */
  setCodec(codec: string): void {
    if (codec === this.codec) return;
    this.codec = codec;
    this.changed(true);
  }

  constrainVideo(maxHeight: number): void {
    this.shaper?.constrain(maxHeight);
  }

  add(sources: readonly RemoteSource[]): void {
    let changed = false;
    for (const source of sources) if (source.owner !== this.endpoint) changed = this.slots.put(source) || changed;
    this.changed(changed);
  }

  remove(sources: readonly RemoteSource[]): void {
    this.changed(sources.map((s) => this.slots.remove(s.name)).some(Boolean));
  }

  removeOwner(owner: string): void {
    this.changed(this.slots.removeOwner(owner));
  }

  /** The stream of a participant's track; the same object while its slot stays. */
  stream(owner: string, kind: Kind): MediaStream | undefined {
    const slot = this.slots.slots.find((s) => s.owner === owner && s.kind === kind && s.source !== '');
    if (!slot) return undefined;
    const track = this.pc.getTransceivers().find((t) => t.mid === slot.mid)?.receiver.track;
    if (!track) return undefined;
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
    this.channel.close();
    this.pc.onconnectionstatechange = null;
    this.pc.close();
    this.streams.clear();
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
        await this.setLocal();
        this.shaper?.apply();
        this.emit('tracks', undefined);
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
    if (video >= 0 && canSimulcast(navigator.userAgent)) sdp = addSimulcast(sdp, String(video));
    await this.pc.setLocalDescription({ type: 'answer', sdp });
    return sdp;
  }

  private stateChanged(): void {
    switch (this.pc.connectionState) {
      case 'connected':
        this.channel.transportUp();
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
