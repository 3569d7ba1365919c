/**
 * A key or a button that is held: to talk while muted, or to be silent for a moment.  Whatever
 * mutes us meanwhile, a moderator above all, wins: letting go then opens nothing.
 */
import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { settings } from './settings';
import { dialog, microphone, talk } from './state';

export const held = signal<'none' | 'talking' | 'silent'>('none');

/** Begins; false if there is nothing to hold for now. */
export function hold(): boolean {
  const { track, muted } = microphone.value;
  if (held.value !== 'none' || !track) return false;
  if (muted && settings.value.pushToTalk) held.value = 'talking';
  else if (!muted && settings.value.pushToMute) held.value = 'silent';
  else return false;
  talk(held.value === 'talking');
  return true;
}

export function letGo(): void {
  const was = held.value;
  held.value = 'none';
  if (was !== 'none') talk(was === 'silent');
}

/** Somebody else closed the microphone: the hold is over and changes nothing more. */
export function dropHold(): void {
  held.value = 'none';
}

function typing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches('input, textarea, select, [contenteditable]');
}

export function usePushToTalk(): void {
  useEffect(() => {
    const down = (event: KeyboardEvent) => {
      if (event.code !== settings.value.talkKey || event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
      if (typing(event.target) || dialog.value !== 'none') return;
      // Space and Enter press buttons.
      if (event.target instanceof HTMLButtonElement && ['Space', 'Enter'].includes(event.code)) return;
      if (event.repeat ? held.value !== 'none' : hold()) {
        event.preventDefault();
        event.stopImmediatePropagation();
      }
    };
    const up = (event: KeyboardEvent) => event.code === settings.value.talkKey && letGo();
    addEventListener('keydown', down, true);
    addEventListener('keyup', up);
    // A key released in another window is never seen: do not stay open.
    addEventListener('blur', letGo);
    return () => {
      removeEventListener('keydown', down, true);
      removeEventListener('keyup', up);
      removeEventListener('blur', letGo);
      letGo();
    };
  }, []);
}
