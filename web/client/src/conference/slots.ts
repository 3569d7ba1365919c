/**
 * Which m-line of the peer connection plays which remote track.
 *
 * A slot is an m-line that receives.  It is never removed (SDP cannot), but when its track goes it
 * becomes free and the next track takes it.  A slot may also be taken, for good, to send one of our
 * own sources on.  With SSRC rewriting the bridge's maps say which
 * source an SSRC carries now; without, sources are added and removed one by one.
 *
 * What is sent is told once, by bridge or focus; who is in the room comes another way, from the server, and may
 * come late or flicker.  So the slots of somebody who is not in the room stay as they are, and give way only
 * to others, after a while.
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
  /** When the owner was first missing in the room, in ms; undefined while there. */
  absentSince?: number;
  /** Set where we send: this source of ours. */
  readonly outgoing?: SourceKey;
}

/** The bridge maps at most 50 sources of a kind; a peer must not make us grow beyond. */
export const MAX_SLOTS = 60;
/** Who is away so long comes back with a session of its own, if at all. */
const ABSENT_MS = 30_000;

export class Slots {
  private readonly list: Slot[] = [];

  constructor(private readonly firstMid: number) {}

  get slots(): readonly Slot[] {
    return this.list;
  }

  bySource(name: string): Slot | undefined {
    return this.list.find((s) => s.source === name);
  }

  /** Puts `source` in place at `now`, in ms; true if the remote description must change. */
  put(source: RemoteSource, now: number): boolean {
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
    const slot = this.spare(source, now);
    if (!slot) return old !== undefined;
    Object.assign(slot, labels(source), { ssrc: source.ssrc, rtx: source.rtx });
    return true;
  }

  /** Takes note at `now`, in ms, of whose owner is in the room. */
  look(present: (owner: string) => boolean, now: number): void {
    for (const slot of this.list) slot.absentSince = slot.source === '' || present(slot.owner) ? undefined : slot.absentSince ?? now;
  }

  /** Frees the slot of the named source; true if the remote description must change. */
  remove(name: string): boolean {
    const slot = this.bySource(name);
    if (slot) this.release(slot);
    return slot !== undefined;
  }

  /** The slot that a source of ours is sent on, made if there is none; undefined if there is no room. */
  reserve(key: SourceKey): Slot | undefined {
    return this.list.find((s) => s.outgoing === key) ?? this.grow(kindOf(key), key);
  }

  /** A slot for a source that has none. */
  private spare({ kind, ssrc }: RemoteSource, now: number): Slot | undefined {
    const ours = this.list.filter((s) => s.kind === kind && !s.outgoing);
    const free = ours.filter((s) => s.source === '' || now - (s.absentSince ?? now) >= ABSENT_MS);
    const absent = ours.filter((s) => s.absentSince !== undefined).sort((a, b) => a.absentSince! - b.absentSince!);
    // Chromium decodes an SSRC that comes back to an m-line that was inactive, and shows nothing (w3c/webrtc-pc#2783).
    return free.find((s) => s.ssrc !== ssrc) ?? this.grow(kind) ?? free[0] ?? absent[0];
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
    slot.absentSince = undefined;
  }
}

function labels(source: RemoteSource): Pick<Slot, 'source' | 'owner' | 'videoType' | 'absentSince'> {
  return { source: source.name, owner: source.owner, videoType: source.videoType, absentSince: undefined };
}
