/** After the call, or instead of it: what happened, and what can be done now. */
import type { FailureReason } from '../conference';
import { t } from './i18n';
import { Icon, type IconName } from './icons';
import { openRoom, room } from './route';
import { Brand } from './start';
import { conferenceState, enterPrejoin, failure } from './state';

const ICONS: Partial<Record<FailureReason, IconName>> = {
  'room-full': 'people', overloaded: 'people', 'members-only': 'lock', 'not-authorized': 'lock', denied: 'door', 'lobby-full': 'door', kicked: 'user', removed: 'user',
  'room-closed': 'check', 'server-unreachable': 'signal',
};

/** Where coming back at once is no use. */
const FINAL: ReadonlySet<FailureReason> = new Set(['removed', 'room-closed']);

export function LeftPage() {
  const reason = conferenceState.value === 'failed' ? failure.value ?? 'unknown' : undefined;
  const again = !reason || !FINAL.has(reason);
  return (
    <main tabIndex={-1} class="page waiting" data-testid="left-page" data-reason={failure.value}>
      <header class="top"><Brand /></header>
      <section class="card">
        <span class="emblem" aria-hidden="true"><Icon name={reason ? ICONS[reason] ?? 'signal' : 'leave'} /></span>
        <p class="room-title">{room.value}</p>
        <h1>{reason ? t(`failure.title.${reason}`) : t('left.heading')}</h1>
        {reason ? <p class="lead" role="alert">{t(`failure.${reason}`)}</p> : null}
        <div class="actions">
          {again ? <button type="button" class="primary" data-testid="return" onClick={enterPrejoin} autofocus>{reason ? t('left.tryAgain') : t('left.again')}</button> : null}
          <button type="button" class={again ? 'secondary' : 'primary'} data-testid="home" onClick={() => openRoom('')} autofocus={!again}>{t('left.home')}</button>
        </div>
      </section>
    </main>
  );
}
