/** In a room beside the main one: which, and the way back. */
import { goTo } from './go_to';
import { t } from './i18n';
import { Icon } from './icons';
import { breakouts } from './meeting';
import { room } from './route';
import { conferenceState } from './state';

export function BreakoutBar() {
  const here = breakouts.value.find((one) => one.id === room.value);
  const main = breakouts.value.find((one) => one.main);
  if (!here || here.main || !main || conferenceState.value !== 'joined') return null;
  return (
    <div class="banner" role="status" data-testid="breakout-bar">
      <Icon name="grid" /><bdi>{t('breakout.in', { name: here.name })}</bdi>
      <button type="button" class="link" data-testid="breakout-back" onClick={() => goTo(main)}>{t('breakout.return')}</button>
    </div>
  );
}
