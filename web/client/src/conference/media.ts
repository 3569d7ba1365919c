/** The media of one stay in a room: with the bridge, directly with one other, and which of the two counts. */
import { receiverConstraints, wantedHeights } from './constraints';
import { DirectCall } from './direct';
import { DirectSpeaker } from './direct_speaker';
import { Emitter } from './emitter';
import { sourceName } from './ids';
import { Invitation, type BridgeSession } from './invitation';
import type { Link } from './link';
import { PathSwitch } from './path_switch';
import { Reporter } from './reporter';
import type { Room } from './room';
import type { Roster } from './roster';
import type { MediaSession, Tracks } from './session';
import { fellSilent } from './silence';
import type { Kind, Path, SourceKey, Statistics, View } from './types';
import type { Xml } from './xml';
import type { XmppConnection } from './xmpp';

interface Events {
  /** What is known of the participants' media changed. */
  changed: void;
  media: 'none' | 'connected' | 'interrupted';
  path: Path;
  startMuted: readonly Kind[];
  speaker: string | undefined;
  offered: void;
  connected: void;
  channelOpen: void;
  statistics: Statistics;
  endpointMessage: { from: string; payload: object };
  /** Nothing comes from the bridge any more: the network may be another one. */
  stalled: void;
  /** Only a new beginning helps. */
  lost: void;
}

/** Media that came so short a time ago are expected to go on. */
const FLOWED_MS = 5_000;

/** What is announced of our own video sources. */
type VideoTypes = () => ReadonlyMap<SourceKey, 'camera' | 'desktop' | 'none'>;

export class RoomMedia extends Emitter<Events> {
  readonly direct: DirectCall;
  private readonly invitation: Invitation;
  private readonly paths: PathSwitch;
  private readonly directSpeaker: DirectSpeaker;
  private reporter: Reporter | undefined;
  private view: View = { sizes: new Map(), onStage: [], audioOnly: false };
  private bridgeMedia: 'none' | 'connected' | 'interrupted' = 'none';
  private speaker: string | undefined;
  private bridgeSpeaker: string | undefined;
  /** When media last came, in ms. */
  private flowedAt = -Infinity;
  /** We are without the server. */
  private away = false;
  /** A session over which nothing came any more while we were away. */
  private silent: MediaSession | undefined;

  constructor(private readonly link: Link, private readonly roster: Roster, tracks: () => Tracks, private readonly videoTypes: VideoTypes) {
    super();
    const codec = () => roster.commonCodec();
    this.invitation = new Invitation(link, tracks, codec);
    this.direct = new DirectCall(link, tracks, codec);
    this.paths = new PathSwitch({
      bridge: () => this.invitation.session,
      direct: () => this.direct.session,
      directState: () => this.direct.state,
      awaited: () => roster.ids.flatMap((id) => (id === this.direct.peer ? roster.sending(id) : [])),
      releaseDirect: () => this.direct.release(),
    });
    this.directSpeaker = new DirectSpeaker(link.room.id, (id) => this.setSpeaker(id));
    this.followInvitation();
    this.followDirect();
  }

  private get room(): Room {
    return this.link.room;
  }

  /** The session with the bridge that can go on without signalling; undefined if there is none. */
  get sid(): string | undefined {
    return this.invitation.session?.offer.sid;
  }

  /** The connection to the server is lost: what runs through the bridge goes on. */
  signallingLost(): void {
    this.away = true;
    this.direct.interrupt();
  }

  /** We go into the room again; `returned` follows once we are in. */
  rebind(xmpp: XmppConnection, room: Room): void {
    this.link.xmpp = xmpp;
    this.link.room = room;
  }

  returned(): void {
    this.away = false;
    this.invitation.returned();
    if (this.silent) void this.invitation.renew(this.silent);
    this.silent = undefined;
  }

  /** Direct only while nothing of ours goes over the bridge too, as it does at both ends of a direct session. */
  get path(): Path {
    return this.paths.sealed ? 'direct' : 'bridge';
  }

  get states(): { ice: string; dtls: string; channel: string; direct: string } {
    const pc = this.session?.pc;
    return {
      ice: pc?.iceConnectionState ?? 'none', dtls: pc?.connectionState ?? 'none',
      channel: this.invitation.channel?.transport ?? 'none', direct: this.direct.state,
    };
  }

  /** The stream of somebody's source on the path that counts. */
  stream(source: string): MediaStream | undefined {
    return this.session?.stream(source);
  }

  take(iq: Xml): boolean {
    return this.direct.take(iq) || this.invitation.take(iq);
  }

  /** Who is in the room changed, or what is known of them. */
  occupantsChanged(directAllowed: boolean): void {
    this.followBridgeSpeaker();
    this.invitation.session?.look((id) => this.roster.has(id));
    if (this.roster.size > 0) this.invitation.expect();
    else this.invitation.expectNothing();
    this.invitation.setCodec(this.roster.commonCodec());
    this.direct.setCodec(this.roster.commonCodec());
    this.direct.consider(this.roster.ids, directAllowed);
  }

  left(id: string): void {
    if (this.speaker === id) this.setSpeaker(undefined);
  }

  setTrack(key: SourceKey, track: MediaStreamTrack | undefined): void {
    void this.invitation.session?.setTrack(key, track);
    this.direct.setTrack(key, track);
    this.announceVideo();
  }

  setView(view: View): void {
    this.view = view;
    this.sendConstraints();
  }

  sendMessage(payload: object, to: string): boolean {
    return this.invitation.channel?.send({ colibriClass: 'EndpointMessage', to, msgPayload: payload }) ?? false;
  }

  /** The network may be another one; `answered` resolves once it is known whether the server is still there. */
  async networkChanged(answered: Promise<void>): Promise<void> {
    this.direct.tryAgain();
    const [used, withBridge] = [this.session, this.invitation.session];
    if (!used || !(await fellSilent(used, performance.now() - this.flowedAt < FLOWED_MS))) return;
    await answered;
    if (used === this.direct.session) this.direct.giveUp();
    if (!withBridge) return;
    if (this.away) this.silent = withBridge;
    else await this.invitation.renew(withBridge);
  }

  leave(): void {
    this.invitation.leave();
    this.close();
  }

  close(): void {
    this.paths.close();
    this.directSpeaker.close();
    this.direct.close();
    this.invitation.close();
  }

  private get session() {
    return this.paths.path === 'direct' ? this.direct.session : this.invitation.session;
  }

  private followInvitation(): void {
    const { invitation } = this;
    invitation.on('tracks', () => this.emit('changed', undefined));
    invitation.on('startMuted', (kinds) => this.emit('startMuted', kinds));
    invitation.on('stalled', () => this.emit('stalled', undefined));
    invitation.on('lost', () => this.emit('lost', undefined));
    invitation.on('media', (media) => {
      if (media === 'connected') this.emit('connected', undefined);
      this.bridgeMedia = media;
      this.tellMedia();
    });
    invitation.on('session', (session) => {
      this.roster.forwarded = undefined;
      this.bridgeSpeaker = undefined;
      if (session) {
        this.emit('offered', undefined);
        this.listen(session);
      } else if (this.roster.size > 0) invitation.expect();
      this.report();
      this.paths.update();
      this.emit('changed', undefined);
    });
  }

  private followDirect(): void {
    const { direct, paths } = this;
    direct.on('tracks', () => this.emit('changed', undefined));
    direct.on('state', (state) => {
      if (state === 'starting') direct.want(!this.view.audioOnly, wantedHeights(this.view));
      paths.update();
    });
    paths.on('path', (path) => {
      this.directSpeaker.follow(path === 'direct' ? direct.session : undefined, direct.peer);
      this.followBridgeSpeaker();
      this.report();
      this.tellMedia();
      this.emit('changed', undefined);
    });
    paths.on('sealed', () => this.emit('path', this.path));
  }

  private tellMedia(): void {
    const direct = this.paths.path === 'direct';
    // Somebody is there and a new session is due: that is no state of rest.
    const bridge = this.bridgeMedia === 'none' && this.roster.size > 0 ? 'interrupted' : this.bridgeMedia;
    this.emit('media', direct ? 'connected' : bridge);
  }

  private report(): void {
    this.reporter?.close();
    const { session } = this;
    this.reporter = session && new Reporter(session, this.paths.path, this.invitation.channel, (statistics) => {
      this.directSpeaker.heardOwn(statistics.ownAudioLevel);
      if (statistics.receiveBitrate > 0) this.flowedAt = performance.now();
      this.emit('statistics', statistics);
    });
  }

  private listen({ media, channel }: BridgeSession): void {
    channel.on('open', () => {
      this.emit('channelOpen', undefined);
      this.announceVideo();
      this.sendConstraints();
    });
    channel.on('mapped', (sources) => media.add(sources));
    channel.on('dominantSpeaker', ({ id }) => {
      this.bridgeSpeaker = id;
      this.followBridgeSpeaker();
    });
    channel.on('forwarded', (names) => {
      this.roster.forwarded = names;
      this.emit('changed', undefined);
    });
    channel.on('senderConstraint', ({ source, maxHeight }) => {
      for (const key of ['v0', 'v1'] as const) if (source === sourceName(this.room.id, key)) media.constrain(key, maxHeight);
    });
    channel.on('connectivity', ({ id, active }) => {
      this.roster.setActive(id, active);
      this.emit('changed', undefined);
    });
    channel.on('endpointMessage', (message) => this.emit('endpointMessage', message));
  }

  /** The bridge tells of a change once: perhaps before the one is in the room for us, or while another path is used. */
  private followBridgeSpeaker(): void {
    const id = this.bridgeSpeaker;
    if (this.paths.path === 'bridge' && id !== undefined && (this.roster.has(id) || id === this.room.id)) this.setSpeaker(id);
  }

  private setSpeaker(id: string | undefined): void {
    if (this.speaker === id) return;
    this.speaker = id;
    this.emit('speaker', id);
    this.sendConstraints();
  }

  private announceVideo(): void {
    for (const [key, videoType] of this.videoTypes()) {
      this.invitation.channel?.send({ colibriClass: 'SourceVideoTypeMessage', sourceName: sourceName(this.room.id, key), videoType });
    }
  }

  private sendConstraints(): void {
    const speaker = this.speaker === undefined ? undefined : sourceName(this.speaker, 'v0');
    this.invitation.channel?.send({ colibriClass: 'ReceiverVideoConstraints', ...receiverConstraints(this.view, speaker) });
    this.direct.want(!this.view.audioOnly, wantedHeights(this.view));
  }
}
