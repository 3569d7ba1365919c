/**
 * Which of two paths is heard and seen, the bridge's or the direct one: the new one is taken only
 * when media has come over it, and the old one ends only after that, so that nothing is lost.
 */
import type { DirectState } from './direct';
import { Emitter } from './emitter';
import type { MediaSession } from './session';
import type { Path } from './types';

interface Events {
  path: Path;
  /** Whether nothing of ours goes over the bridge. */
  sealed: boolean;
}

/** Whoever sends nothing at all is not waited for longer. */
const WAIT_MS = 2_000;
const LOOK_MS = 50;
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

/** Packets of sound or decoded pictures so far, by source. */
async function arrivals(session: MediaSession, sources: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  await Promise.all(sources.map(async (source) => {
    const reports = await session.receiver(source)?.getStats();
    reports?.forEach((report: { type: string; kind?: string; packetsReceived?: number; framesDecoded?: number }) => {
      if (report.type === 'inbound-rtp') counts.set(source, (report.kind === 'video' ? report.framesDecoded : report.packetsReceived) ?? 0);
    });
  }));
  return counts;
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
    let base: ReadonlyMap<string, number> | undefined;
    while (performance.now() - began < WAIT_MS) {
      const session = target === 'direct' ? this.paths.direct() : this.paths.bridge();
      if (session) {
        const awaited = this.paths.awaited();
        const counts = await arrivals(session, awaited);
        base ??= counts;
        const since = base;
        if (awaited.every((source) => (counts.get(source) ?? 0) > (since.get(source) ?? 0))) break;
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
