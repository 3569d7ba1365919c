/** After the call. */
import { t } from './i18n';
import { Brand } from './start';
import { openRoom, room } from './route';
import { conferenceState, enterPrejoin, failure } from './state';

export function LeftPage() {
  const failed = conferenceState.value === 'failed';
  return (
    <main tabIndex={-1} class="page left" data-testid="left-page" data-reason={failure.value}>
      <header class="top"><Brand /></header>
      <section class="hero">
        <p class="room-title">{room.value}</p>
        <h1>{failed ? t('left.failed') : t('left.heading')}</h1>
        {failed ? <p class="lead" role="alert">{t(`failure.${failure.value ?? 'unknown'}`)}</p> : null}
        <div class="actions">
          <button type="button" class="primary" data-testid="return" onClick={enterPrejoin} autofocus>{t('left.again')}</button>
          <button type="button" class="secondary" data-testid="home" onClick={() => openRoom('')}>{t('left.home')}</button>
        </div>
      </section>
    </main>
  );
}
