/** Reads the browser's statistics once a second and tells the bridge a little of them. */
import type { BridgeChannel } from './channel';
import type { MediaSession } from './session';
import { StatsReader, type Report } from './stats';
import type { Path, Statistics } from './types';

const READ_MS = 1_000;
const TELL_MS = 10_000;

export class Reporter {
  private readonly reader = new StatsReader();
  private readonly timer: ReturnType<typeof setInterval>;
  private told = 0;

  constructor(
    private readonly session: MediaSession, private readonly path: Path, private readonly channel: BridgeChannel | undefined,
    private readonly show: (statistics: Statistics) => void,
  ) {
    this.timer = setInterval(() => void this.read(), READ_MS);
  }

  close(): void {
    clearInterval(this.timer);
  }

  private async read(): Promise<void> {
    const { session } = this;
    const reports: Report[] = [];
    (await session.pc.getStats()).forEach((report: Report) => reports.push(report));
    if (session.isClosed) return;
    const statistics = { ...this.reader.read(reports, (mid) => session.slotAt(mid)?.source), path: this.path };
    this.show(statistics);
    if (performance.now() - this.told < TELL_MS) return;
    this.told = performance.now();
    this.channel?.send({
      colibriClass: 'EndpointStats',
      bitrate: { upload: Math.round(statistics.sendBitrate / 1000), download: Math.round(statistics.receiveBitrate / 1000) },
      packetLoss: { total: Math.round(100 * statistics.lossFraction) },
      connectionQuality: Math.round(100 * (1 - Math.min(1, 5 * statistics.lossFraction))),
      jvbRTT: Math.round(1000 * statistics.roundTrip),
    });
  }
}
