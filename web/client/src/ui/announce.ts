/** Short news: shown for some seconds, and read aloud by the live region. */
import { signal } from '@preact/signals';

const TOAST_MS = 4_000;
const MAX_TOASTS = 3;

export const toasts = signal<readonly { id: number; text: string }[]>([]);
/** What the live region says. */
export const announcement = signal('');

let lastId = 0;

export function toast(text: string): void {
  const id = ++lastId;
  toasts.value = [...toasts.value.slice(1 - MAX_TOASTS), { id, text }];
  announcement.value = text;
  setTimeout(() => (toasts.value = toasts.value.filter((other) => other.id !== id)), TOAST_MS);
}

/** Said by the live region only. */
export function announce(text: string): void {
  announcement.value = text;
}
