/**
 * Which m-line of the peer connection plays which remote track.
 *
 * A slot is an m-line that receives.  It is never removed (SDP cannot), but when its track goes it
 * becomes free and the next track takes it.  A slot may also be taken, for good, to send one of our
 * own sources on.  With SSRC rewriting the bridge's maps say which
 * source an SSRC carries now; without, sources are added and removed one by one.
 */
import { kindOf } from './ids';
import type { Kind, RemoteSource, SourceKey, VideoType } from './types';

export interface Slot {
  readonly mid: string;
  readonly kind: Kind;
  /** Of a free slot: the last one it had. */
  ssrc: number;
  rtx?: number;
  /** Empty: free, the m-line is inactive. */
  source: string;
  owner: string;
  videoType: VideoType;
  /** Set where we send: this source of ours. */
  readonly outgoing?: SourceKey;
}

/** The bridge maps at most 50 sources of a kind; a peer must not make us grow beyond. */
export const MAX_SLOTS = 60;

export class Slots {
  private readonly list: Slot[] = [];

  constructor(private readonly firstMid: number) {}

  get slots(): readonly Slot[] {
    return this.list;
  }

  bySource(name: string): Slot | undefined {
    return this.list.find((s) => s.source === name);
  }

  /** Puts `source` in place; true if the remote description must change. */
  put(source: RemoteSource): boolean {
    const old = this.bySource(source.name);
    if (old && old.ssrc === source.ssrc && old.rtx === source.rtx) {
      old.videoType = source.videoType;
      return false;
    }
    const carrying = this.list.find((s) => s.source !== '' && s.kind === source.kind && s.ssrc === source.ssrc);
    if (carrying) {
      // The bridge gave this SSRC to another source: same m-line, new label.
      if (old && old !== carrying) this.release(old);
      const renegotiate = carrying.rtx !== source.rtx || (old !== undefined && old !== carrying);
      Object.assign(carrying, labels(source), { rtx: source.rtx });
      return renegotiate;
    }
    if (old) this.release(old);
    const free = this.list.filter((s) => s.source === '' && s.kind === source.kind && !s.outgoing);
    // Chromium decodes an SSRC that comes back to an m-line that was inactive, and shows nothing (w3c/webrtc-pc#2783).
    const slot = free.find((s) => s.ssrc !== source.ssrc) ?? this.grow(source.kind) ?? free[0];
    if (!slot) return old !== undefined;
    Object.assign(slot, labels(source), { ssrc: source.ssrc, rtx: source.rtx });
    return true;
  }

  /** Frees the slot of the named source; true if the remote description must change. */
  remove(name: string): boolean {
    const slot = this.bySource(name);
    if (slot) this.release(slot);
    return slot !== undefined;
  }

  /** Frees all slots of `owner`; true if the remote description must change. */
  removeOwner(owner: string): boolean {
    const gone = this.list.filter((s) => s.source !== '' && s.owner === owner);
    gone.forEach((slot) => this.release(slot));
    return gone.length > 0;
  }

  /** The slot that a source of ours is sent on, made if there is none; undefined if there is no room. */
  reserve(key: SourceKey): Slot | undefined {
    return this.list.find((s) => s.outgoing === key) ?? this.grow(kindOf(key), key);
  }

  private grow(kind: Kind, outgoing?: SourceKey): Slot | undefined {
    if (this.list.filter((s) => s.kind === kind).length >= MAX_SLOTS) return undefined;
    const slot: Slot = {
      mid: String(this.firstMid + this.list.length), kind, ssrc: 0, source: '', owner: '', videoType: 'camera', outgoing,
    };
    this.list.push(slot);
    return slot;
  }

  private release(slot: Slot): void {
    slot.source = '';
    slot.owner = '';
    slot.rtx = undefined;
  }
}

function labels(source: RemoteSource): Pick<Slot, 'source' | 'owner' | 'videoType'> {
  return { source: source.name, owner: source.owner, videoType: source.videoType };
}
