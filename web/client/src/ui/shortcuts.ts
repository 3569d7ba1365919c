/** Keys that work during a call, outside of text fields. */
import { useEffect } from 'preact/hooks';
import { settings } from './settings';
import { toggleHand } from './meeting';
import { dialog, microphone, panel, showPanel, talk, toggle, togglePanel } from './state';

export function toggleFullscreen(): void {
  const change = document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen();
  change.catch(() => undefined); // The browser may not allow it; nothing else depends on it.
}

function typing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches('input, textarea, select, [contenteditable]');
}

export function useShortcuts(): void {
  useEffect(() => {
    let talking = false;
    const down = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
      if (event.key === 'Escape' && panel.value !== 'none' && dialog.value === 'none') {
        showPanel('none');
        document.querySelector('main')?.focus();
      }
      if (typing(event.target) || dialog.value !== 'none') return;
      const onButton = event.target instanceof HTMLButtonElement;
      if (event.key === ' ' && !onButton && settings.value.pushToTalk) {
        event.preventDefault();
        if (event.repeat || talking || !microphone.value.track || !microphone.value.muted) return;
        talking = true;
        talk(true);
        return;
      }
      if (event.repeat) return;
      const action = {
        m: () => toggle('audio'), v: () => toggle('video'), c: () => togglePanel('chat'), p: () => togglePanel('people'), r: toggleHand, f: toggleFullscreen,
        '?': () => (dialog.value = 'help'),
      }[event.key.toLowerCase()];
      if (!action) return;
      event.preventDefault();
      action();
    };
    const silence = () => {
      if (!talking) return;
      talking = false;
      talk(false);
    };
    const up = (event: KeyboardEvent) => event.key === ' ' && silence();
    addEventListener('keydown', down);
    addEventListener('keyup', up);
    // A key released in another window is never seen: do not stay open.
    addEventListener('blur', silence);
    return () => {
      removeEventListener('keydown', down);
      removeEventListener('keyup', up);
      removeEventListener('blur', silence);
      silence();
    };
  }, []);
}
