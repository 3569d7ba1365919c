/** How our camera is encoded: simulcast layers, and what the bridge's constraints leave of them. */

export interface Encoding {
  readonly active: boolean;
  readonly scaleResolutionDownBy: number;
  readonly maxBitrate: number;
}

/** Low to high, as the SIM group has them. */
const SCALES = [4, 2, 1] as const;
const BITRATES = [200_000, 700_000, 2_000_000] as const;

/**
 * The encodings for `count` layers of a camera of `height` pixels (its smaller side), when nobody
 * wants more than `maxHeight` (-1: no limit, 0: nobody wants any).
 */
export function encodings(count: number, height: number, maxHeight: number): Encoding[] {
  if (count === 1) {
    const limited = maxHeight > 0 && height > maxHeight;
    const scale = limited ? height / maxHeight : 1;
    return [{ active: maxHeight !== 0, scaleResolutionDownBy: scale, maxBitrate: Math.round(BITRATES[2] / scale) }];
  }
  return Array.from({ length: count }, (_, index) => {
    const at = SCALES.length - count + index;
    const scale = SCALES[at] ?? 1;
    // The lowest stays on while anybody looks, however small the window.
    const wanted = maxHeight < 0 || (maxHeight > 0 && (index === 0 || Math.floor(height / scale) <= maxHeight));
    return { active: wanted, scaleResolutionDownBy: scale, maxBitrate: BITRATES[at] ?? BITRATES[2] };
  });
}

/** Applies constraints to one sender, one change at a time, the newest last. */
export class SenderShaper {
  private maxHeight = -1;
  private running: Promise<void> | undefined;
  private again = false;

  constructor(private readonly sender: RTCRtpSender) {}

  constrain(maxHeight: number): void {
    this.maxHeight = maxHeight;
    this.apply();
  }

  /** Brings the encodings up to date; needed after each negotiation and change of camera. */
  apply(): void {
    this.again = true;
    this.running ??= this.run().finally(() => (this.running = undefined));
  }

  private async run(): Promise<void> {
    while (this.again) {
      this.again = false;
      const parameters = this.sender.getParameters();
      if (!parameters.encodings?.length) return;
      const settings = this.sender.track?.getSettings();
      const height = Math.min(settings?.height ?? 720, settings?.width ?? 1280);
      const wanted = encodings(parameters.encodings.length, height, this.maxHeight);
      parameters.encodings.forEach((encoding, index) => Object.assign(encoding, wanted[index]));
      try {
        await this.sender.setParameters(parameters);
      } catch (error) {
        // A negotiation came between reading and writing, and it calls apply() again.
        console.debug('encodings not set:', error);
      }
    }
  }
}
