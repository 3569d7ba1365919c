/** What one should be told about one's microphone, from nothing but its loudness on this device. */

export type MicrophoneHint = 'speaking-muted' | 'silent' | 'noisy';

/** Decibels of full scale: louder is speech, ... */
const SPEECH = -42;
/** ... quieter than this comes out of no working microphone, ... */
const NOTHING = -88;
/** ... and who is never quieter than this has a fan or a street beside them. */
const NOISE = -46;

const SPEECH_MS = 500;
const NOTHING_MS = 8_000;
const NOISE_MS = 12_000;
/** The same hint is not given again sooner. */
const AGAIN_MS: Readonly<Record<MicrophoneHint, number>> = { 'speaking-muted': 20_000, silent: 120_000, noisy: 300_000 };

export class MicrophoneWatch {
  private readonly given = new Map<MicrophoneHint, number>();
  private speechSince: number | undefined;
  private pausesUntil = 0;
  private nothingSince: number | undefined;
  private noiseSince: number | undefined;

  /** Takes a look at the loudness, a few times a second; returns what to say, if anything. */
  look(decibels: number, muted: boolean, now: number): MicrophoneHint | undefined {
    if (muted) {
      this.nothingSince = this.noiseSince = undefined;
      return this.speaking(decibels, now) ? this.give('speaking-muted', now) : undefined;
    }
    this.speechSince = undefined;
    this.nothingSince = decibels < NOTHING ? this.nothingSince ?? now : undefined;
    this.noiseSince = decibels > NOISE ? this.noiseSince ?? now : undefined;
    if (this.nothingSince !== undefined && now - this.nothingSince >= NOTHING_MS) return this.give('silent', now);
    if (this.noiseSince !== undefined && now - this.noiseSince >= NOISE_MS) return this.give('noisy', now);
    return undefined;
  }

  /** Speech has short pauses within. */
  private speaking(decibels: number, now: number): boolean {
    if (decibels > SPEECH) {
      this.speechSince ??= now;
      this.pausesUntil = now + SPEECH_MS / 2;
    } else if (now > this.pausesUntil) this.speechSince = undefined;
    return this.speechSince !== undefined && now - this.speechSince >= SPEECH_MS;
  }

  private give(hint: MicrophoneHint, now: number): MicrophoneHint | undefined {
    const last = this.given.get(hint);
    if (last !== undefined && now - last < AGAIN_MS[hint]) return undefined;
    this.given.set(hint, now);
    return hint;
  }
}
