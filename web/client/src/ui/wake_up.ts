/** After sleep or in another network nothing may work that seemed to: finds out at once. */
import { conference } from './state';

const TICK_MS = 1_000;
/** A clock that stood still so long means that the machine slept; a hidden page's clock ticks once a minute at least. */
const SLEPT_MS = 70_000;
const SLEPT_VISIBLE_MS = 6_000;

export function followWakeUps(): void {
  const look = () => conference?.retryNow();
  addEventListener('online', look);
  followKindOfNetwork(look);
  document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && look());
  let last = Date.now();
  setInterval(() => {
    const now = Date.now();
    const limit = document.visibilityState === 'visible' ? SLEPT_VISIBLE_MS : SLEPT_MS;
    if (now - last > limit) look();
    last = now;
  }, TICK_MS);
}

/** A phone goes from one network to another without being offline; of what else changes it tells too often. */
function followKindOfNetwork(look: () => void): void {
  const { connection } = navigator as { connection?: EventTarget & { readonly type?: string } };
  let before = connection?.type;
  connection?.addEventListener('change', () => {
    if (connection.type === before) return;
    before = connection.type;
    look();
  });
}
