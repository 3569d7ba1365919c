/** What this browser remembers: settings and recent rooms, nothing else. */
import { signal, effect } from '@preact/signals';

export interface Settings {
  readonly name: string;
  readonly camera: boolean;
  readonly microphone: boolean;
  readonly cameraDevice: string;
  readonly microphoneDevice: string;
  readonly joinSound: boolean;
  readonly pushToTalk: boolean;
  readonly keepRecent: boolean;
  readonly recent: readonly string[];
  /** A tag of i18n's LANGUAGES; empty is the browser's. */
  readonly language: string;
  /** 'light', 'dark', or empty for the system's. */
  readonly theme: string;
  /** Where the others are heard; empty is the system's choice. */
  readonly speakerDevice: string;
  /** Whether two people may be connected directly, which tells each the other's address. */
  readonly direct: boolean;
  readonly selfView: boolean;
  /** One of stage/self_corner.ts. */
  readonly selfCorner: string;
  /** The key that is held to talk, or to be silent for a moment: `KeyboardEvent.code`. */
  readonly talkKey: string;
  /** Whether that key silences an open microphone while it is held. */
  readonly pushToMute: boolean;
  /** A large button to be held, for fingers. */
  readonly talkButton: boolean;
}

const KEY = 'xmppconf';
const MAX_RECENT = 6;
const DEFAULTS: Settings = {
  name: '', camera: true, microphone: true, cameraDevice: '', microphoneDevice: '', joinSound: false, pushToTalk: true, keepRecent: false, recent: [], language: '', theme: '',
  speakerDevice: '', direct: true, selfView: true, selfCorner: 'bottom-end', talkKey: 'Space', pushToMute: false, talkButton: false,
};

function load(): Settings {
  try {
    const stored = JSON.parse(localStorage.getItem(KEY) ?? '{}') as Partial<Record<keyof Settings, unknown>>;
    const kept = Object.entries(stored).filter(([key, value]) => {
      const fallback = DEFAULTS[key as keyof Settings];
      return fallback !== undefined && typeof value === typeof fallback && Array.isArray(value) === Array.isArray(fallback);
    });
    const settings = { ...DEFAULTS, ...(Object.fromEntries(kept) as Partial<Settings>) };
    return { ...settings, recent: settings.recent.filter((room) => typeof room === 'string').slice(0, MAX_RECENT) };
  } catch {
    return DEFAULTS; // Storage is switched off or holds something foreign.
  }
}

export const settings = signal<Settings>(load());

effect(() => {
  const value = JSON.stringify(settings.value);
  try {
    localStorage.setItem(KEY, value);
  } catch {
    // Storage is switched off: settings last as long as the page.
  }
});

export function change(part: Partial<Settings>): void {
  settings.value = { ...settings.value, ...part };
}

export function remember(room: string): void {
  if (!settings.value.keepRecent) return;
  change({ recent: [room, ...settings.value.recent.filter((r) => r !== room)].slice(0, MAX_RECENT) });
}

export function forget(room?: string): void {
  change({ recent: room === undefined ? [] : settings.value.recent.filter((r) => r !== room) });
}
