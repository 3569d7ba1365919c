/**
 * A direct session between two people (Jingle between the clients), beside the one with the bridge.
 *
 * It starts when exactly two are in the room, by the one with the smaller id, and ends when a third
 * comes.  It does not decide which of the two paths is heard: see path_switch.ts.
 */
import { Emitter } from './emitter';
import { fingerprintOf, compareSigns } from './fingerprint';
import { requestIceServers } from './ice_servers';
import { randomHex } from './ids';
import {
  contentModify, directSession, directTerminate, jingleOf, NS, readCandidates, readModify, readOffer, readSources, sourceAdd, transportInfo,
  type Answer, type DirectIds,
} from './jingle';
import type { Link } from './link';
import type { Room } from './room';
import { readLocal } from './sdp';
import { MediaSession, newPeerConnection, type Tracks } from './session';
import { Trickle } from './trickle';
import type { Candidate, Offer, RemoteSource, SourceKey } from './types';
import { first, xml, type Xml } from './xml';
import type { XmppConnection } from './xmpp';

export type DirectState = 'none' | 'starting' | 'up' | 'leaving';

interface Events {
  state: DirectState;
  /** Remote tracks came or went. */
  tracks: void;
}

/** After a third one left, both may still be occupied with that. */
const AGAIN_MS = 5_000;
/** From the first stanza until media flows. */
const START_MS = 20_000;
/** How long a session that is no longer wanted is kept at most: longer than path_switch.ts needs. */
const LEAVE_MS = 10_000;
const RETRY_MS = 30_000;
const MAX_FAILURES = 3;
/** Stanzas with candidates that come before their session is made. */
const MAX_EARLY = 16;

/** Whether a session with the one other has to be, and who of the two starts it. */
export function roleIn(own: string, peers: readonly string[], allowed: boolean): 'none' | 'initiator' | 'responder' {
  if (!allowed || peers.length !== 1) return 'none';
  return own < peers[0]! ? 'initiator' : 'responder';
}

interface Call {
  readonly peer: string;
  readonly ids: DirectIds;
  readonly initiated: boolean;
  readonly pc: RTCPeerConnection;
  media?: MediaSession;
  readonly trickle: Trickle;
  /** What we offered or answered. */
  local?: Answer;
}

/** An offer that has come and is not answered yet. */
interface Incoming {
  readonly peer: string;
  readonly sid: string;
  readonly candidates: Xml[];
}

export class DirectCall extends Emitter<Events> {
  private call: Call | undefined;
  private incoming: Incoming | undefined;
  private current: DirectState = 'none';
  private peers: readonly string[] = [];
  private allowed = true;
  private crowded = false;
  private failures = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private wanted: { video: boolean; heights: ReadonlyMap<string, number> } = { video: true, heights: new Map() };
  private closed = false;

  constructor(private readonly link: Link, private readonly tracks: () => Tracks, private readonly codec: () => string) {
    super();
  }

  private get xmpp(): XmppConnection {
    return this.link.xmpp;
  }

  private get room(): Room {
    return this.link.room;
  }

  get state(): DirectState {
    return this.current;
  }

  get session(): MediaSession | undefined {
    return this.call?.media;
  }

  get peer(): string | undefined {
    return this.call?.peer;
  }

  /** The signs to compare with the other one. */
  async signs(): Promise<readonly string[] | undefined> {
    const { call } = this;
    const remote = call?.media?.offer.transport.fingerprint;
    if (!call || !remote) return undefined;
    return compareSigns(fingerprintOf(call.pc.localDescription?.sdp), `${remote.hash} ${remote.value}`);
  }

  /** Who else is in the room, and whether a direct session may be at all. */
  consider(peers: readonly string[], allowed: boolean): void {
    if (this.closed) return;
    const unchanged = allowed === this.allowed && peers.length === this.peers.length && peers.every((id) => this.peers.includes(id));
    if (unchanged) return;
    if (peers[0] !== this.peers[0]) this.failures = 0;
    this.peers = peers;
    this.allowed = allowed;
    this.plan();
  }

  /** Starts, ends or leaves alone, as those in the room want it now. */
  private plan(): void {
    const { peers, allowed } = this;
    if (peers.length > 1) this.crowded = true;
    const role = roleIn(this.room.id, peers, allowed);
    if (this.call) {
      if (role === 'none' || peers[0] !== this.call.peer) this.leave();
      return;
    }
    this.cancel();
    if (role === 'none') return;
    if (role === 'initiator' && this.failures < MAX_FAILURES) {
      const delay = this.failures ? RETRY_MS * 2 ** (this.failures - 1) : this.crowded ? AGAIN_MS : 0;
      this.after(delay, () => void this.start(peers[0]!));
    }
    this.crowded = false;
  }

  /** The network changed: what failed may work now. */
  tryAgain(): void {
    this.failures = 0;
    this.plan();
  }

  /** Nothing comes over it any more. */
  giveUp(): void {
    if (this.call) this.broke(this.call, 'connectivity-error');
  }

  /** The other path is heard: a session that is being left may end. */
  release(): void {
    if (this.current !== 'leaving') return;
    this.end('success');
    this.again();
  }

  setTrack(key: SourceKey, track: MediaStreamTrack | undefined): void {
    this.session?.setTrack(key, track).catch(() => undefined); // The session is being closed.
  }

  setCodec(codec: string): void {
    this.session?.setCodec(codec);
  }

  /** How high a picture of each source is of use, in lines; none at all without `video`. */
  want(video: boolean, heights: ReadonlyMap<string, number>): void {
    const same = video === this.wanted.video && JSON.stringify([...heights]) === JSON.stringify([...this.wanted.heights]);
    this.wanted = { video, heights };
    if (!same) this.tellWanted();
  }

  /** Takes an IQ if it is Jingle from another occupant, and answers it. */
  take(iq: Xml): boolean {
    const jingle = jingleOf(iq);
    const from = iq.attrs.from ?? '';
    if (!jingle || iq.attrs.type !== 'set' || !from.startsWith(`${this.room.jid}/`) || from === this.room.focusAddress) return false;
    const peer = from.slice(this.room.jid.length + 1);
    const { action, sid = '' } = jingle.attrs;
    if (action === 'session-initiate') {
      this.xmpp.reply(iq);
      this.incoming = { peer, sid, candidates: [] };
      void this.answer(jingle, peer);
    } else if (action === 'transport-info' && this.incoming?.peer === peer && this.incoming.sid === sid) {
      this.xmpp.reply(iq);
      if (this.incoming.candidates.length < MAX_EARLY) this.incoming.candidates.push(jingle);
    } else if (this.call?.peer !== peer || this.call.ids.sid !== sid) {
      this.xmpp.refuse(iq, 'cancel', 'item-not-found', xml('unknown-session', { xmlns: 'urn:xmpp:jingle:errors:1' }));
    } else {
      this.xmpp.reply(iq);
      this.follow(this.call, action, jingle);
    }
    return true;
  }

  /** Nobody can be told anything any more, and the other one sees us gone. */
  interrupt(): void {
    this.peers = [];
    this.drop();
  }

  close(): void {
    if (this.closed) return;
    this.end('success');
    this.closed = true;
    this.cancel();
  }

  private async start(peer: string): Promise<void> {
    const call = await this.open(peer, randomHex(6), this.room.address, true);
    if (!call) return;
    try {
      const { pc } = call;
      for (const kind of ['audio', 'video']) pc.addTransceiver(kind, { direction: 'sendonly' });
      const offer = await pc.createOffer();
      await pc.setLocalDescription(offer);
      call.local = readLocal(offer.sdp ?? '', ['audio', 'video'], this.room.id);
      await this.send(call, directSession('session-initiate', call.ids, call.local));
      call.trickle.begin();
    } catch (error) {
      this.broke(call, 'failed-application', error);
    }
  }

  private async answer(jingle: Xml, peer: string): Promise<void> {
    const { sid = '', initiator = `${this.room.jid}/${peer}` } = jingle.attrs;
    const refusal = roleIn(this.room.id, this.peers, this.allowed) === 'none' || this.peers[0] !== peer ? 'decline'
      : this.call && this.call.initiated && this.current === 'starting' ? 'busy' : undefined;
    if (refusal || this.closed) {
      this.tell(peer, directTerminate({ sid, initiator }, refusal ?? 'gone'));
      return;
    }
    // A new offer of the same one says that the old session is no more.
    if (this.call) this.drop();
    const call = await this.open(peer, sid, initiator, false);
    if (!call) return;
    try {
      const offer = this.readPeer(jingle, peer);
      const media = this.watch(call, offer);
      call.local = await media.answer(this.tracks());
      if (this.call !== call) return;
      await this.send(call, directSession('session-accept', call.ids, call.local));
      call.trickle.begin();
      this.settled(call);
    } catch (error) {
      this.broke(call, 'failed-application', error);
    }
  }

  private async open(peer: string, sid: string, initiator: string, initiated: boolean): Promise<Call | undefined> {
    this.cancel();
    const servers = await requestIceServers(this.xmpp, 'peer');
    if (this.closed || this.call || roleIn(this.room.id, this.peers, this.allowed) === 'none' || this.peers[0] !== peer) return undefined;
    const ids: DirectIds = { sid, initiator, responder: initiated ? undefined : this.room.address };
    const pc = newPeerConnection(servers);
    const trickle = new Trickle(pc, (candidates) => this.tellCandidates(call, candidates));
    const call: Call = { peer, ids, initiated, pc, trickle };
    this.call = call;
    const { incoming } = this;
    this.incoming = undefined;
    if (incoming?.sid === sid) for (const jingle of incoming.candidates) trickle.take(readCandidates(jingle));
    this.after(START_MS, () => this.broke(call, 'timeout'));
    this.setState('starting');
    return call;
  }

  /** An offer or an acceptance of the peer: it speaks for its own sources only. */
  private readPeer(jingle: Xml, peer: string): Offer {
    const offer = readOffer(jingle, peer, peer);
    return { ...offer, sctpPort: undefined, sources: own(offer.sources, peer) };
  }

  private watch(call: Call, offer: Offer): MediaSession {
    const options = { endpoint: this.room.id, codec: this.codec(), simulcast: false };
    const media = (call.media = new MediaSession(offer, options, call.pc));
    const current = () => this.call === call;
    media.on('tracks', () => current() && this.emit('tracks', undefined));
    media.on('connected', () => {
      if (!current() || this.current !== 'starting') return;
      this.cancel();
      this.failures = 0;
      this.setState('up');
      this.tellWanted();
    });
    media.on('interrupted', () => current() && this.current !== 'starting' && this.broke(call, 'connectivity-error'));
    media.on('failed', () => this.broke(call, 'connectivity-error'));
    media.on('announce', (source) => {
      if (!current()) return;
      this.send(call, sourceAdd(call.ids.sid, call.ids.initiator, source, '1')).catch(() => this.broke(call, 'failed-application'));
    });
    return media;
  }

  private follow(call: Call, action: string | undefined, jingle: Xml): void {
    switch (action) {
      case 'session-accept':
        if (call.initiated && !call.media) void this.accepted(call, jingle);
        break;
      case 'transport-info':
        call.trickle.take(readCandidates(jingle));
        break;
      case 'content-modify': {
        const { video, heights } = readModify(jingle);
        for (const key of ['v0', 'v1'] as const) call.media?.constrain(key, video ? heights.get(`${this.room.id}-${key}`) ?? -1 : 0);
        break;
      }
      case 'source-add':
        call.media?.add(own(readSources(jingle, call.peer), call.peer));
        break;
      case 'source-remove':
        call.media?.remove(own(readSources(jingle, call.peer), call.peer));
        break;
      case 'session-terminate': {
        const wanted = this.current !== 'starting' && first(first(jingle, 'reason'), 'success') !== undefined;
        this.drop();
        if (wanted) this.again();
        else this.failed();
        break;
      }
    }
  }

  private async accepted(call: Call, jingle: Xml): Promise<void> {
    try {
      const offer = this.readPeer(jingle, call.peer);
      if (offer.media.map((m) => m.kind).join() !== 'audio,video') throw new Error('the answer lacks a medium');
      await this.watch(call, offer).accepted(this.tracks());
      this.settled(call);
    } catch (error) {
      this.broke(call, 'failed-application', error);
    }
  }

  /** Both descriptions are there. */
  private settled(call: Call): void {
    call.trickle.described();
    for (const [key, track] of this.tracks()) this.setTrack(key, track);
    this.emit('tracks', undefined);
  }

  private tellCandidates(call: Call, candidates: Candidate[]): void {
    if (!call.local || this.call !== call) return;
    this.send(call, transportInfo(call.ids, call.local.transport, candidates)).catch(() => undefined);
  }

  private tellWanted(): void {
    if (this.current !== 'up' || !this.call) return;
    this.send(this.call, contentModify(this.call.ids, this.wanted.video, this.wanted.heights)).catch(() => undefined);
  }

  private leave(): void {
    if (this.current === 'starting') this.end('success');
    else if (this.current === 'up') {
      this.setState('leaving');
      this.after(LEAVE_MS, () => this.release());
    }
  }

  /** It does not work, or no longer: the bridge is there. */
  private broke(call: Call, reason: string, error?: unknown): void {
    if (this.call !== call) return;
    if (error) console.warn('no direct session:', (error as Error).name);
    this.end(reason);
    this.failed();
  }

  private failed(): void {
    this.failures++;
    this.plan();
  }

  /** It ended in peace; if the two are alone again, or still, there will be another. */
  private again(): void {
    this.crowded = true;
    this.plan();
  }

  private end(reason: string): void {
    const { call } = this;
    if (!call) return;
    this.tell(call.peer, directTerminate(call.ids, reason));
    this.drop();
  }

  /** Closes what there is, without a word. */
  private drop(): void {
    const { call } = this;
    this.cancel();
    if (!call) return;
    call.trickle.close();
    this.call = undefined;
    if (call.media) call.media.close();
    else call.pc.close();
    this.setState('none');
  }

  private setState(state: DirectState): void {
    if (this.current === state) return;
    this.current = state;
    this.emit('state', state);
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

  private send(call: Call, payload: Xml): Promise<Xml> {
    return this.xmpp.request(iqTo(`${this.room.jid}/${call.peer}`, payload));
  }

  private tell(peer: string, payload: Xml): void {
    this.xmpp.request(iqTo(`${this.room.jid}/${peer}`, payload)).catch(() => undefined); // Gone, perhaps.
  }
}

function iqTo(to: string, payload: Xml): Xml {
  return xml('iq', { type: 'set', to }, { ...payload, ns: NS.jingle });
}

function own(sources: readonly RemoteSource[], peer: string): RemoteSource[] {
  return sources.filter((source) => source.owner === peer);
}
