/** Whether the connection is so bad that doing without videos would help. */
import type { Statistics } from './types';

const LOSS = 0.08;
const ROUND_TRIP = 1.2; // seconds
const BAD_LOOKS = 5;
const GOOD_LOOKS = 10;

export class LinkWatch {
  private bad = 0;
  private good = 0;
  private weak = false;

  /** Takes the statistics of one second; true while the link is weak. */
  look({ lossFraction, roundTrip }: Pick<Statistics, 'lossFraction' | 'roundTrip'>): boolean {
    const bad = lossFraction > LOSS || roundTrip > ROUND_TRIP;
    this.bad = bad ? this.bad + 1 : 0;
    this.good = bad ? 0 : this.good + 1;
    if (this.bad >= BAD_LOOKS) this.weak = true;
    else if (this.good >= GOOD_LOOKS) this.weak = false;
    return this.weak;
  }
}
