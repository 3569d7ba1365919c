/** Which items are large and which are small, as a pure function of what is there and what was chosen. */
import type { StageItem } from './items';

export type Mode = 'tiles' | 'speaker';

export interface Wishes {
  readonly mode: Mode;
  /** Keys, in the order they were pinned. */
  readonly pins: readonly string[];
  /** Whose tile is large in the speaker's view, if nothing else is. */
  readonly speaker: string | undefined;
  readonly selfView: boolean;
}

export interface Arrangement {
  /** Empty: all are tiles of one grid. */
  readonly large: readonly StageItem[];
  /** Beside the large ones, or all the tiles. */
  readonly small: readonly StageItem[];
  /** Our own picture floats above the others. */
  readonly floating: boolean;
}

const SHARED: ReadonlySet<string> = new Set(['screen', 'extra']);

export function arrange(items: readonly StageItem[], wishes: Wishes): Arrangement {
  const others = items.filter((item) => item.kind === 'person');
  const pinned = wishes.pins.flatMap((key) => items.filter((item) => item.key === key));
  const shared = items.filter((item) => SHARED.has(item.kind));
  const large = pinned.length ? pinned : shared.length ? shared : wishes.mode === 'speaker' && others.length > 1
    ? others.filter((item) => item.key === wishes.speaker).concat(others).slice(0, 1) : [];
  const alone = others.length === 0 && large.length === 0;
  // With one other person our own picture is in a corner of theirs.
  const floats = others.length === 1 && large.length === 0;
  const small = items.filter((item) => !large.includes(item)).filter((item) => {
    if (item.kind === 'self') return alone || (!floats && wishes.selfView);
    // What we share ourselves we have before us anyway.
    return item.kind !== 'own-screen';
  });
  return { large, small, floating: floats && wishes.selfView };
}

/** How long somebody has to speak before the large picture changes to them, in ms. */
const HOLD_MS = 1_500;

/** The large speaker: changes only to who speaks for a while, and never to ourselves. */
export class SpeakerHold {
  private candidate: string | undefined;
  private since = 0;
  private held: string | undefined;

  get current(): string | undefined {
    return this.held;
  }

  /** `id` speaks from `now` on; undefined for nobody or ourselves.  True if the large one changed. */
  speaks(id: string | undefined, now: number): boolean {
    if (id !== this.candidate) {
      this.candidate = id;
      this.since = now;
    }
    // The first one needs no patience.
    return this.held === undefined ? this.hold(id) : this.look(now);
  }

  /** Time passed; true if the large one changed. */
  look(now: number): boolean {
    if (this.candidate === undefined || this.candidate === this.held || now - this.since < HOLD_MS) return false;
    return this.hold(this.candidate);
  }

  /** When `look` may have something to say, in ms from `now`; undefined if never. */
  due(now: number): number | undefined {
    return this.candidate === undefined || this.candidate === this.held ? undefined : Math.max(0, this.since + HOLD_MS - now);
  }

  left(id: string): void {
    if (this.held === id) this.held = undefined;
    if (this.candidate === id) this.candidate = undefined;
  }

  private hold(id: string | undefined): boolean {
    const changed = id !== undefined && id !== this.held;
    if (changed) this.held = id;
    return changed;
  }
}
