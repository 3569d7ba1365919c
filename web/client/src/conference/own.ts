/** What we show of ourselves: in the room's presence, and as tracks. */
import type { LocalMedia } from './devices';
import type { OwnPresence } from './presence';
import type { ScreenCapture } from './screen';
import type { Tracks } from './session';
import type { Kind, SourceKey } from './types';
import type { Xml } from './xml';

export class Own {
  name = '';
  /** When our hand went up, in ms since the epoch. */
  raisedHand: number | undefined;
  caps: Xml | undefined;
  /** Whether a screen was ever shared: only from then on it is spoken of. */
  private shared = false;

  constructor(private readonly local: LocalMedia, private readonly screen: ScreenCapture) {
    screen.on('changed', () => (this.shared = true));
  }

  /** Whether we send sound, or a picture: of the camera or of a screen. */
  sends(kind: Kind): boolean {
    return !this.local.muted(kind) || this.screen[kind] !== undefined;
  }

  presence(): OwnPresence {
    const { local, screen } = this;
    return {
      nick: this.name, audioMuted: local.muted('audio'), videoMuted: local.muted('video'),
      screen: this.shared ? { shared: screen.video !== undefined, audio: screen.audio !== undefined } : undefined, caps: this.caps,
      raisedHand: this.raisedHand,
    };
  }

  /** Our tracks by source. */
  tracks(): Tracks {
    const { local, screen } = this;
    const all: [SourceKey, MediaStreamTrack | undefined][] = [
      ['a0', local.track('audio')], ['v0', local.track('video')], ['v1', screen.video], ['a1', screen.audio],
    ];
    return new Map(all.filter((entry): entry is [SourceKey, MediaStreamTrack] => entry[1] !== undefined));
  }

  videoTypes(): Map<SourceKey, 'camera' | 'desktop' | 'none'> {
    const types = new Map<SourceKey, 'camera' | 'desktop' | 'none'>([['v0', this.local.muted('video') ? 'none' : 'camera']]);
    if (this.shared) types.set('v1', this.screen.video ? 'desktop' : 'none');
    return types;
  }
}
