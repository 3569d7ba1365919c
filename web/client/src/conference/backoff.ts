/** Pauses between attempts: they grow, with chance in them so that not everybody comes at once. */

const FIRST_MS = 1_000;
const LONGEST_MS = 30_000;
/** After so long in the room the next loss is a new story. */
const STABLE_MS = 30_000;

export class Backoff {
  private attempts = 0;
  private since: number | undefined;

  /** It worked, at `now` (milliseconds). */
  succeeded(now: number): void {
    this.since ??= now;
  }

  /** Milliseconds to wait before the next attempt; `random` is from 0 to 1. */
  next(now: number, random: number): number {
    if (this.since !== undefined && now - this.since > STABLE_MS) this.attempts = 0;
    this.since = undefined;
    return Math.min(FIRST_MS * 2 ** this.attempts++, LONGEST_MS) * (0.5 + random / 2);
  }
}
