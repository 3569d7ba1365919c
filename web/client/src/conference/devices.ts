/** Cameras and microphones, and plain reasons when there is none to be had. */
import { Emitter } from './emitter';
import type { Kind } from './types';

export type DeviceProblem = 'none-found' | 'denied' | 'in-use' | 'insecure' | 'unknown';

interface Events {
  /** A track came, went, or was muted. */
  changed: Kind;
}

export function problemOf(error: unknown): DeviceProblem {
  switch ((error as { name?: string } | undefined)?.name) {
    case 'NotFoundError':
    case 'OverconstrainedError':
      return 'none-found';
    case 'NotAllowedError':
    case 'SecurityError':
      return 'denied';
    case 'NotReadableError':
    case 'AbortError':
      return 'in-use';
    default:
      return 'unknown';
  }
}

const CONSTRAINTS: Record<Kind, MediaTrackConstraints> = {
  audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
  video: { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30, max: 30 } },
};

/**
 * Our own tracks.  A muted microphone is kept and silent, so that unmuting is instant; a camera
 * that is off is released, so that its light goes out.
 */
export class LocalMedia extends Emitter<Events> {
  private readonly tracks: Partial<Record<Kind, MediaStreamTrack>> = {};
  private readonly wanted: Record<Kind, boolean> = { audio: true, video: true };
  private readonly chosen: Partial<Record<Kind, string>> = {};
  readonly problems: Partial<Record<Kind, DeviceProblem>> = {};
  private readonly generation: Record<Kind, number> = { audio: 0, video: 0 };
  /** Which of a phone's cameras, if one was chosen by turning. */
  private facing: 'user' | 'environment' | undefined;

  constructor() {
    super();
    globalThis.navigator?.mediaDevices?.addEventListener('devicechange', this.onDevices);
  }

  track(kind: Kind): MediaStreamTrack | undefined {
    return this.tracks[kind];
  }

  muted(kind: Kind): boolean {
    return !this.wanted[kind] || !this.tracks[kind];
  }

  /** Whether the person wants this medium on, whatever the device says. */
  enabled(kind: Kind): boolean {
    return this.wanted[kind];
  }

  device(kind: Kind): string | undefined {
    return this.tracks[kind]?.getSettings().deviceId ?? this.chosen[kind];
  }

  /** Turns a medium on or off; resolves when the device is open or the problem known. */
  async setEnabled(kind: Kind, on: boolean): Promise<void> {
    this.wanted[kind] = on;
    if (!on) {
      this.generation[kind]++;
      if (kind === 'video') this.release(kind);
      else if (this.tracks.audio) this.tracks.audio.enabled = false;
      this.emit('changed', kind);
      return;
    }
    if (kind === 'audio' && this.tracks.audio) {
      this.tracks.audio.enabled = true;
      this.emit('changed', kind);
    } else await this.open(kind);
  }

  /** Which device to open when there is a choice; nothing happens now. */
  prefer(kind: Kind, deviceId: string): void {
    this.chosen[kind] = deviceId;
  }

  async choose(kind: Kind, deviceId: string): Promise<void> {
    this.prefer(kind, deviceId);
    if (kind === 'video') this.facing = undefined;
    if (kind === 'audio' || this.wanted[kind]) await this.open(kind);
  }

  /** Turns to the camera on the other side of a phone, or to the next one there is. */
  async flip(): Promise<void> {
    const now = this.tracks.video?.getSettings();
    if (!now) return;
    const cameras = (await navigator.mediaDevices.enumerateDevices()).filter((d) => d.kind === 'videoinput' && d.deviceId);
    const at = cameras.findIndex((d) => d.deviceId === now.deviceId);
    const next = cameras[(at + 1) % cameras.length];
    this.facing = now.facingMode === 'user' ? 'environment' : now.facingMode === 'environment' ? 'user' : undefined;
    if (!this.facing && next && next.deviceId !== now.deviceId) this.chosen.video = next.deviceId;
    if (this.wanted.video) await this.open('video'); // It may have been switched off meanwhile.
  }

  async open(kind: Kind): Promise<void> {
    const generation = ++this.generation[kind];
    const current = () => generation === this.generation[kind];
    if (!navigator.mediaDevices?.getUserMedia) {
      this.problems[kind] = 'insecure';
      this.emit('changed', kind);
      return;
    }
    try {
      const track = await this.capture(kind);
      if (!current()) {
        track.stop();
        return;
      }
      this.release(kind);
      delete this.problems[kind];
      this.tracks[kind] = track;
      track.enabled = this.wanted[kind];
      track.onended = () => {
        if (this.tracks[kind] !== track) return;
        this.release(kind);
        // It was unplugged: another one may be there, and is better than none.
        delete this.chosen[kind];
        void this.open(kind);
      };
    } catch (error) {
      if (!current()) return;
      this.problems[kind] = problemOf(error);
    }
    this.emit('changed', kind);
  }

  /** Something was plugged in: whoever had none may have one now. */
  private readonly onDevices = (): void => {
    for (const kind of ['audio', 'video'] as const) {
      if (this.wanted[kind] && !this.tracks[kind] && this.problems[kind] === 'none-found') void this.open(kind);
    }
  };

  /** Lets go of all devices. */
  close(): void {
    navigator.mediaDevices?.removeEventListener('devicechange', this.onDevices);
    this.generation.audio++;
    this.generation.video++;
    this.release('audio');
    this.release('video');
  }

  private async capture(kind: Kind): Promise<MediaStreamTrack> {
    if (kind === 'video' && this.facing) {
      // Phones open one camera at a time.
      this.release('video');
      const stream = await navigator.mediaDevices.getUserMedia({ video: { ...CONSTRAINTS.video, facingMode: this.facing } });
      return prepared(stream, kind);
    }
    const deviceId = this.chosen[kind];
    const get = (constraints: MediaTrackConstraints) => navigator.mediaDevices.getUserMedia({ [kind]: constraints });
    let stream: MediaStream;
    try {
      stream = await get(deviceId ? { ...CONSTRAINTS[kind], deviceId: { exact: deviceId } } : CONSTRAINTS[kind]);
    } catch (error) {
      // The device of last time may be unplugged: any other is better than none.
      if (!deviceId || problemOf(error) !== 'none-found') throw error;
      delete this.chosen[kind];
      stream = await get(CONSTRAINTS[kind]);
    }
    return prepared(stream, kind);
  }

  private release(kind: Kind): void {
    const track = this.tracks[kind];
    if (!track) return;
    track.onended = null;
    track.stop();
    delete this.tracks[kind];
  }
}

function prepared(stream: MediaStream, kind: Kind): MediaStreamTrack {
  const track = stream.getTracks()[0];
  if (!track) throw new Error('no track');
  if (kind === 'video') track.contentHint = 'motion';
  return track;
}
