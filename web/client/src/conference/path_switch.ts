/**
 * Which of two paths is heard and seen, the bridge's or the direct one: the new one is taken only
 * when what came over it has been played, and the old one ends only after that, so that nothing is lost.
 */
import type { DirectState } from './direct';
import { Emitter } from './emitter';
import { parseSourceName } from './ids';
import type { MediaSession } from './session';
import type { Path } from './types';

interface Events {
  path: Path;
  /** Whether nothing of ours goes over the bridge. */
  sealed: boolean;
}

/** Whoever sends nothing at all is not waited for longer. */
const WAIT_MS = 4_000;
const LOOK_MS = 50;
/** Sound that is played on and on for so many looks will go on. */
const STEADY_LOOKS = 20;
/** The other side may wait so long too, and has to hear us on the old path meanwhile. */
const SETTLE_MS = WAIT_MS + 1_000;

/** What the switch moves between. */
export interface Paths {
  bridge(): MediaSession | undefined;
  direct(): MediaSession | undefined;
  directState(): DirectState;
  /** Names of the sources that must have arrived. */
  awaited(): readonly string[];
  releaseDirect(): void;
}

/** Which sound was played last, and how many pictures were decoded, by source. */
async function arrivals(session: MediaSession, sources: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const marks = new Map<string, number>();
  await Promise.all(sources.map(async (source) => {
    const receiver = session.receiver(source);
    // Sound that has come is heard later: only then the other path may fall silent.
    const [played] = receiver?.track.kind === 'audio' ? receiver.getSynchronizationSources() : [];
    if (played) marks.set(source, played.rtpTimestamp);
    if (receiver?.track.kind !== 'video') return;
    (await receiver.getStats()).forEach((report: { type: string; framesDecoded?: number }) => {
      if (report.type === 'inbound-rtp' && report.framesDecoded) marks.set(source, report.framesDecoded);
    });
  }));
  return marks;
}

/** Whether what comes over a path comes without stumbling: the first packets may be long before the others. */
class Flow {
  private before: ReadonlyMap<string, number> = new Map();
  private readonly moves = new Map<string, number>();

  look(marks: ReadonlyMap<string, number>): void {
    for (const source of new Set([...this.before.keys(), ...marks.keys()])) {
      const moved = marks.has(source) && marks.get(source) !== this.before.get(source);
      // Between two pictures there may be several looks; sound is played all the time.
      if (moved) this.moves.set(source, (this.moves.get(source) ?? 0) + 1);
      else if (parseSourceName(source)?.kind === 'audio') this.moves.set(source, 0);
    }
    this.before = marks;
  }

  isSteady(source: string): boolean {
    const needed = parseSourceName(source)?.kind === 'audio' ? STEADY_LOOKS : 2;
    return (this.moves.get(source) ?? 0) >= needed;
  }
}

export class PathSwitch extends Emitter<Events> {
  private shown: Path = 'bridge';
  private closedToBridge = false;
  private attempt = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly paths: Paths) {
    super();
  }

  get path(): Path {
    return this.shown;
  }

  /** Whether nothing of ours goes over the bridge: later than the first direct sound, and no longer than we are alone. */
  get sealed(): boolean {
    return this.closedToBridge;
  }

  /** A session came, went or changed its state. */
  update(): void {
    const { paths } = this;
    const target: Path = paths.directState() === 'up' ? 'direct' : 'bridge';
    this.seal(target === 'direct' && this.shown === 'direct' && (paths.bridge()?.isSuspended ?? true));
    if (target === 'bridge') paths.bridge()?.suspend(false);
    if (target === 'bridge' && !paths.direct()) this.show('bridge'); // The other one is no more.
    const attempt = ++this.attempt;
    clearTimeout(this.timer);
    if (target === this.shown) this.settle(target);
    else void this.follow(target, attempt);
  }

  close(): void {
    this.attempt++;
    clearTimeout(this.timer);
  }

  private async follow(target: Path, attempt: number): Promise<void> {
    const began = performance.now();
    const flow = new Flow();
    while (performance.now() - began < WAIT_MS) {
      const session = target === 'direct' ? this.paths.direct() : this.paths.bridge();
      if (session) {
        const awaited = this.paths.awaited();
        flow.look(await arrivals(session, awaited));
        if (awaited.every((source) => flow.isSteady(source))) break;
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      if (attempt !== this.attempt) return;
    }
    if (attempt !== this.attempt) return;
    this.show(target);
    this.settle(target);
  }

  private settle(target: Path): void {
    const attempt = this.attempt;
    this.timer = setTimeout(() => {
      if (attempt !== this.attempt) return;
      if (target === 'direct') {
        this.paths.bridge()?.suspend(true);
        this.seal(true);
      } else this.paths.releaseDirect();
    }, SETTLE_MS);
  }

  private seal(on: boolean): void {
    if (this.closedToBridge === on) return;
    this.closedToBridge = on;
    this.emit('sealed', on);
  }

  private show(path: Path): void {
    if (this.shown === path) return;
    this.shown = path;
    this.emit('path', path);
  }
}
