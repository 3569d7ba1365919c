/** The start page: choose a room. */
import { useState } from 'preact/hooks';
import { roomLocalPart } from '../conference/ids';
import { LanguageSelect } from './appearance';
import { PRODUCT, t } from './i18n';
import { Icon } from './icons';
import { suggestRoom } from './room_names';
import { change, forget, settings } from './settings';
import { openRoom } from './route';

export function Brand() {
  return (
    <span class="brand">
      <svg viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="9" /><path d="M8 12.500A2.500 2.500 0 0 1 10.500 10h7A2.500 2.500 0 0 1 20 12.500v7a2.500 2.500 0 0 1-2.500 2.500h-7A2.500 2.500 0 0 1 8 19.500zM21.500 14.600l3.300-2.300c.5-.35 1.200 0 1.200.6v6.200c0 .6-.7.95-1.200.6l-3.300-2.300z" /></svg>
      {PRODUCT}
    </span>
  );
}

export function StartPage() {
  const [text, setText] = useState('');
  const [suggestion, setSuggestion] = useState(suggestRoom);
  const [invalid, setInvalid] = useState(false);
  const submit = (event: Event) => {
    event.preventDefault();
    const name = roomLocalPart(text || suggestion).replace(/^[-.]+|-+$/g, '');
    if (/[\p{L}\p{N}]/u.test(name)) openRoom(name);
    else setInvalid(true);
  };
  const { recent, keepRecent } = settings.value;
  return (
    <main tabIndex={-1} class="page start" data-testid="start-page">
      <header class="top"><Brand /></header>
      <section class="hero">
        <h1>{t('start.heading')}</h1>
        <p class="lead">{t('start.lead')}</p>
        <form class="room-form" onSubmit={submit}>
          <label class="visually-hidden" for="room-name">{t('start.label')}</label>
          <input id="room-name" data-testid="room-name" value={text} placeholder={t('start.placeholder')} autocomplete="off"
            autocapitalize="none" spellcheck={false} maxLength={100} aria-invalid={invalid} aria-describedby={invalid ? 'room-error' : undefined}
            onInput={(event) => { setText(event.currentTarget.value); setInvalid(false); }} autofocus />
          <button type="submit" class="primary" data-testid="go">{t('start.go')}</button>
        </form>
        {invalid ? <p class="problem" id="room-error" role="alert">{t('start.invalid')}</p> : null}
        <p class="suggestion">
          {t('start.suggestion')}{' '}
          <span class="nowrap">
            <button type="button" class="link" data-testid="suggestion" onClick={() => openRoom(suggestion)}>{suggestion}</button>
            <button type="button" class="small" aria-label={t('start.another')} title={t('start.another')} onClick={() => setSuggestion(suggestRoom())}><Icon name="refresh" /></button>
          </span>
        </p>
      </section>
      <section class="recent" aria-labelledby="recent-heading">
        <header>
          <h2 id="recent-heading" class={keepRecent ? '' : 'visually-hidden'}>{t('start.recent')}</h2>
          {recent.length > 0 ? <button type="button" class="link" data-testid="forget-all" onClick={() => forget()}>{t('start.forgetAll')}</button> : null}
        </header>
        {recent.length === 0 ? keepRecent ? <p class="empty" data-testid="recent-empty"><Icon name="clock" />{t('start.recentEmpty')}</p> : null : (
          <ul data-testid="recent">
            {recent.map((name) => (
              <li key={name}>
                <a href={`/${encodeURIComponent(name)}`} onClick={(event) => { event.preventDefault(); openRoom(name); }}>{name}</a>
                <button type="button" class="small" aria-label={t('start.forget', { room: name })} onClick={() => forget(name)}><Icon name="close" /></button>
              </li>
            ))}
          </ul>
        )}
        <label class="check note">
          <input type="checkbox" data-testid="keep-recent" checked={keepRecent}
            onChange={(event) => change(event.currentTarget.checked ? { keepRecent: true } : { keepRecent: false, recent: [] })} />
          {t('start.keepRecent')}
        </label>
      </section>
      <footer class="bottom">
        <p>{t('start.free')} · <a href="/licenses.html" rel="jslicense">{t('start.licences')}</a></p>
        <LanguageSelect id="start-language" />
      </footer>
    </main>
  );
}
