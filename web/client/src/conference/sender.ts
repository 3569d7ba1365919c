/** How our camera is encoded: simulcast layers, and what the bridge's constraints leave of them. */

export interface Encoding {
  readonly active: boolean;
  readonly scaleResolutionDownBy: number;
  readonly maxBitrate: number;
}

/** Bits per second for pictures up to so many lines. */
const BITRATES = [[180, 200_000], [270, 400_000], [360, 700_000], [540, 1_200_000], [720, 2_000_000]] as const;
const MAX_BITRATE = 3_500_000;

function bitrate(height: number): number {
  return BITRATES.find(([lines]) => height <= lines)?.[1] ?? MAX_BITRATE;
}

/**
 * How many simulcast layers are worth sending for a camera of `height` lines.  Chromium sends fewer
 * layers for small pictures whatever is asked, and leaves out the large ones.
 */
function layersFor(height: number): number {
  return height >= 720 ? 3 : height >= 360 ? 2 : 1;
}

/**
 * The encodings, low to high, for a sender that has `count` of them and a camera of `height` lines
 * (its smaller side), when nobody wants more than `maxHeight` (-1: no limit, 0: nobody wants any).
 */
export function encodings(count: number, height: number, maxHeight: number): Encoding[] {
  const layers = Math.min(count, layersFor(height));
  return Array.from({ length: count }, (_, index) => {
    // What is off still has to be valid.
    if (index >= layers) return { active: false, scaleResolutionDownBy: 1, maxBitrate: bitrate(height) };
    const layer = 2 ** (layers - 1 - index);
    const alone = layers === 1 && maxHeight > 0 && height > maxHeight;
    const scale = alone ? height / maxHeight : layer;
    // The lowest stays on while anybody looks, however small the window.
    const active = maxHeight < 0 || (maxHeight > 0 && (index === 0 || Math.floor(height / scale) <= maxHeight));
    return { active, scaleResolutionDownBy: scale, maxBitrate: bitrate(Math.floor(height / scale)) };
  });
}

/** Applies constraints to one sender, one change at a time, the newest last. */
export class SenderShaper {
  private running: Promise<void> | undefined;
  private again = false;

  constructor(private readonly sender: RTCRtpSender, private maxHeight = -1) {}

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
