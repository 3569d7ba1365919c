/** From one room of a meeting to another, without the page before the call. */
import type { BreakoutRoom } from '../conference';
import { announce } from './announce';
import { t } from './i18n';
import { openRoom } from './route';

/** Whether the room that is about to be shown is entered at once. */
let going = false;

export function goTo(there: BreakoutRoom): void {
  going = true;
  openRoom(there.id);
  announce(there.main ? t('breakout.back') : t('breakout.into', { name: there.name }));
}

/** Says it once. */
export function isGoing(): boolean {
  const was = going;
  going = false;
  return was;
}
