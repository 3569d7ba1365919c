/** Back from the single sign-on: on into the room, or why not. */
import { useEffect, useState } from 'preact/hooks';
import { t } from './i18n';
import { Icon } from './icons';
import { finishSingleSignOn, type LoginFailure } from './identity';
import { openRoom } from './route';
import { Brand } from './start';

export function CallbackPage() {
  const [failed, setFailed] = useState<LoginFailure | undefined>(undefined);
  useEffect(() => {
    const query = new URLSearchParams(location.search);
    // The code is for one use only and belongs into no history.
    history.replaceState(null, '', location.pathname);
    void finishSingleSignOn(query).then((outcome) => (typeof outcome === 'string' ? setFailed(outcome) : openRoom(outcome.room, 'replaceState')));
  }, []);
  return (
    <main tabIndex={-1} class="page waiting" data-testid="callback-page">
      <header class="top"><Brand /></header>
      <section class="card" aria-live="polite">
        <span class={`emblem${failed ? '' : ' breathing'}`} aria-hidden="true"><Icon name="user" /></span>
        <h1>{failed ? t('signIn.notDone') : t('signIn.finishing')}</h1>
        {failed ? <p class="lead" role="alert">{failed === 'later' ? t('signIn.failed.later') : t('signIn.failed.unavailable')}</p> : null}
        {failed ? <button type="button" class="primary" data-testid="home" onClick={() => openRoom('', 'replaceState')}>{t('left.home')}</button> : null}
      </section>
    </main>
  );
}
