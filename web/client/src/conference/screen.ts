/** Sharing a screen, a window or a tab, with its sound where the browser gives it. */
import { problemOf, type DeviceProblem } from './devices';
import { Emitter } from './emitter';

interface Events {
  /** Sharing began or ended, here or with the browser's own button. */
  changed: void;
}

const FRAME_RATE = 30;

/** Options that not every browser knows, and that the others pass over. */
interface DisplayMediaOptions extends DisplayMediaStreamOptions {
  systemAudio?: 'include' | 'exclude';
  surfaceSwitching?: 'include' | 'exclude';
  selfBrowserSurface?: 'include' | 'exclude';
}

export class ScreenCapture extends Emitter<Events> {
  private stream: MediaStream | undefined;
  private generation = 0;

  static get possible(): boolean {
    return Boolean(navigator.mediaDevices && 'getDisplayMedia' in navigator.mediaDevices);
  }

  get video(): MediaStreamTrack | undefined {
    return this.stream?.getVideoTracks()[0];
  }

  get audio(): MediaStreamTrack | undefined {
    return this.stream?.getAudioTracks()[0];
  }

  /**
   * Lets the person choose what to share.  Resolves with the problem, if there is one; to have
   * thought better of it is none.
   */
  async start(): Promise<DeviceProblem | undefined> {
    const generation = ++this.generation;
    const options: DisplayMediaOptions = {
      video: { frameRate: { ideal: FRAME_RATE, max: FRAME_RATE } },
      // What is heard is what is played: nothing taken away from it.
      audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
      systemAudio: 'include', surfaceSwitching: 'include', selfBrowserSurface: 'exclude',
    };
    let stream: MediaStream;
    try {
      stream = await navigator.mediaDevices.getDisplayMedia(options);
    } catch (error) {
      const problem = problemOf(error);
      return problem === 'denied' ? undefined : problem;
    }
    const video = stream.getVideoTracks()[0];
    if (generation !== this.generation || !video) {
      stream.getTracks().forEach((track) => track.stop());
      return undefined;
    }
    this.release();
    this.stream = stream;
    video.contentHint = hintFor(stream);
    video.onended = () => this.stream === stream && this.stop();
    this.emit('changed', undefined);
    return undefined;
  }

  stop(): void {
    this.generation++;
    if (!this.stream) return;
    this.release();
    this.emit('changed', undefined);
  }

  private release(): void {
    this.stream?.getTracks().forEach((track) => {
      track.onended = null;
      track.stop();
    });
    this.stream = undefined;
  }
}

/** Text has to stay sharp; what comes with its own sound is likely a film, and has to move. */
function hintFor(stream: MediaStream): 'detail' | 'motion' {
  const surface = stream.getVideoTracks()[0]?.getSettings().displaySurface;
  return surface === 'browser' && stream.getAudioTracks().length > 0 ? 'motion' : 'detail';
}
