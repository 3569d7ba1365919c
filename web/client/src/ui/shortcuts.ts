/** Keys that work during a call, outside of text fields. */
import { useEffect } from 'preact/hooks';
import { toggleHand } from './meeting';
import { toggleMode } from './stage/menu';
import { dialog, panel, showPanel, toggle, togglePanel, toggleShare } from './state';

export function toggleFullscreen(): void {
  const change = document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen();
  change.catch(() => undefined); // The browser may not allow it; nothing else depends on it.
}

function typing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches('input, textarea, select, [contenteditable]');
}

export function useShortcuts(): void {
  useEffect(() => {
    const down = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
      if (event.key === 'Escape' && panel.value !== 'none' && dialog.value === 'none') {
        showPanel('none');
        document.querySelector('main')?.focus();
      }
      if (typing(event.target) || dialog.value !== 'none') return;
      if (event.repeat) return;
      const action = {
        m: () => toggle('audio'), v: () => toggle('video'), c: () => togglePanel('chat'), p: () => togglePanel('people'), r: toggleHand, f: toggleFullscreen, w: toggleMode,
        s: () => void toggleShare(),
        '?': () => (dialog.value = 'help'),
      }[event.key.toLowerCase()];
      if (!action) return;
      event.preventDefault();
      action();
    };
    addEventListener('keydown', down);
    return () => removeEventListener('keydown', down);
  }, []);
}
