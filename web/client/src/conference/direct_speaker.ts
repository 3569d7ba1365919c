/** Who speaks when two are connected directly: the bridge, which says it else, hears neither. */
import { sourceName } from './ids';
import type { MediaSession } from './session';

const LOOK_MS = 200;
/** Linear, 0 to 1: quieter is breath and keyboard. */
const LOUD = 0.02;
/** Looks in a row before it counts: a cough is no speech. */
const LOOKS = 2;

export class DirectSpeaker {
  private timer: ReturnType<typeof setInterval> | undefined;
  private own = 0;

  constructor(private readonly ownId: string, private readonly speaks: (id: string) => void) {}

  /** Listens to `peer` in `session`; to nobody without one. */
  follow(session: MediaSession | undefined, peer: string | undefined): void {
    clearInterval(this.timer);
    if (!session || peer === undefined) return;
    let loud = 0;
    this.timer = setInterval(() => {
      const level = session.receiver(sourceName(peer, 'a0'))?.getSynchronizationSources()[0]?.audioLevel ?? 0;
      loud = level > LOUD ? loud + 1 : 0;
      if (loud >= LOOKS) this.speaks(peer);
      else if (loud === 0 && this.own > LOUD) this.speaks(this.ownId);
    }, LOOK_MS);
  }

  /** Our own loudness, as often as it is known. */
  heardOwn(level: number): void {
    this.own = level;
  }

  close(): void {
    clearInterval(this.timer);
  }
}
