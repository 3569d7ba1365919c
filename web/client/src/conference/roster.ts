/** Who is in the room, and what is known of each. */
import { sourceName } from './ids';
import { CODECS, type Occupant } from './presence';
import type { Participant } from './types';

type Streams = (source: string) => MediaStream | undefined;

export class Roster {
  private readonly occupants = new Map<string, Occupant & { joinedAt: number }>();
  private readonly inactive = new Set<string>();
  /** Names of the video sources that the bridge forwards; undefined until it says so. */
  forwarded: ReadonlySet<string> | undefined;

  /** `streams` finds the media of a source. */
  constructor(private readonly streams: Streams) {}

  get size(): number {
    return this.occupants.size;
  }

  /** Takes in or renews an occupant; true if it is a new one. */
  put(occupant: Occupant, now: number): boolean {
    const known = this.occupants.get(occupant.id);
    this.occupants.set(occupant.id, { ...occupant, joinedAt: known?.joinedAt ?? now });
    return !known;
  }

  remove(id: string): void {
    this.occupants.delete(id);
    this.inactive.delete(id);
  }

  clear(): void {
    this.occupants.clear();
    this.inactive.clear();
    this.forwarded = undefined;
  }

  /** Names of what somebody sends now, by what is said in the room. */
  sending(id: string): string[] {
    const occupant = this.occupants.get(id);
    if (!occupant) return [];
    return [
      ...(occupant.audioMuted ? [] : [sourceName(id, 'a0')]), ...(occupant.videoMuted ? [] : [sourceName(id, 'v0')]),
      ...occupant.screens, ...occupant.screenAudio,
    ];
  }

  get ids(): string[] {
    return [...this.occupants.keys()];
  }

  has(id: string): boolean {
    return this.occupants.has(id);
  }

  /** What the bridge says of an endpoint: whether it hears from it. */
  setActive(id: string, active: boolean): void {
    if (active) this.inactive.delete(id);
    else if (this.occupants.has(id)) this.inactive.add(id);
  }

  participant(id: string): Participant | undefined {
    const occupant = this.occupants.get(id);
    return occupant && {
      id, name: occupant.name, joinedAt: occupant.joinedAt,
      audioMuted: occupant.audioMuted, videoMuted: occupant.videoMuted, videoType: occupant.videoType,
      audio: this.streams(sourceName(id, 'a0')), video: this.streams(sourceName(id, 'v0')),
      screens: occupant.screens.map((source) => ({ source, stream: this.streams(source) })),
      screenAudio: occupant.screenAudio.map((source) => ({ source, stream: this.streams(source) })),
      forwarded: this.forwarded?.has(sourceName(id, 'v0')) ?? true,
      active: !this.inactive.has(id),
      moderator: occupant.moderator, raisedHand: occupant.raisedHand,
    };
  }

  participants(): Participant[] {
    return [...this.occupants.keys()].map((id) => this.participant(id)!);
  }

  /** The first video codec of ours that everybody can decode. */
  commonCodec(): string {
    const others = [...this.occupants.values()].filter((o) => o.codecs.length > 0);
    return CODECS.find((codec) => others.every((o) => o.codecs.includes(codec))) ?? 'vp8';
  }
}
