/** What was chosen about the stage, and what follows from it. */
import { computed, effect, signal } from '@preact/signals';
import { conference, dominantSpeaker, participants, sharing } from '../state';
import { settings } from '../settings';
import { arrange, SpeakerHold, type Mode } from './arrange';
import { extras, stageItems } from './items';

export const mode = signal<Mode>('tiles');
export const pins = signal<readonly string[]>([]);
export const audioOnly = signal(false);
/** The one that is large in the speaker's view. */
export const largeSpeaker = signal<string | undefined>(undefined);

const MAX_PINS = 6;

export function togglePin(key: string): void {
  pins.value = pins.value.includes(key) ? pins.value.filter((other) => other !== key) : [...pins.value, key].slice(-MAX_PINS);
}

/** All there is to show, in the order of tiles. */
export const items = computed(() => stageItems(participants.value, extras.value, sharing.value));

export const arrangement = computed(() =>
  arrange(items.value, { mode: mode.value, pins: pins.value, speaker: largeSpeaker.value, selfView: settings.value.selfView }));

/** Follows who speaks as long as the call is shown; returns the function that ends this. */
export function followStage(): () => void {
  const hold = new SpeakerHold();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const wait = () => {
    clearTimeout(timer);
    const due = hold.due(performance.now());
    if (due !== undefined) timer = setTimeout(() => {
      if (hold.look(performance.now())) largeSpeaker.value = hold.current;
      wait();
    }, due);
  };
  const stop = effect(() => {
    const present = new Set(participants.value.map((p) => p.id));
    const id = dominantSpeaker.value;
    if (hold.current !== undefined && !present.has(hold.current)) hold.left(hold.current);
    hold.speaks(id !== undefined && present.has(id) ? id : undefined, performance.now());
    largeSpeaker.value = hold.current;
    wait();
  });
  const forget = effect(() => {
    const keys = new Set(items.value.map((item) => item.key));
    if (pins.peek().some((key) => !keys.has(key))) pins.value = pins.peek().filter((key) => keys.has(key));
  });
  const tell = effect(() => {
    void [arrangement.value, audioOnly.value];
    tellView();
  });
  return () => {
    clearTimeout(timer);
    stop();
    forget();
    tell();
    mode.value = 'tiles';
    pins.value = [];
    audioOnly.value = false;
    largeSpeaker.value = undefined;
  };
}

/** Shown heights in device pixels by source, as the tiles measure them. */
const sizes = new Map<string, number>();
let asked: ReturnType<typeof setTimeout> | undefined;
/** Tiles change together: one message for all. */
const TOGETHER_MS = 30;

/** A tile shows this source so many device pixels high, or no longer at all. */
export function showSource(source: string, pixels: number): void {
  if (pixels > 0) sizes.set(source, pixels);
  else sizes.delete(source);
  tellView();
}

function tellView(): void {
  asked ??= setTimeout(() => {
    asked = undefined;
    conference?.setView({
      sizes: new Map(sizes), audioOnly: audioOnly.value,
      onStage: arrangement.value.large.flatMap((item) => (item.source ? [item.source] : [])),
    });
  }, TOGETHER_MS);
}

/** More of a picture than a screen with two device pixels to one is not worth its bandwidth. */
export function devicePixels(height: number): number {
  return Math.round(height * Math.min(devicePixelRatio, 2));
}
