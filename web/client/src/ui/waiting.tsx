/** Before the room's door: for the host, the lobby's answer, or with a password. */
import { useState } from 'preact/hooks';
import { MuteButton } from './controls';
import { t } from './i18n';
import { Icon } from './icons';
import { ways } from './identity';
import { room } from './route';
import { SignIn } from './sign_in';
import { Brand } from './start';
import { conference, leave, waitingFor } from './state';

function PasswordForm({ wrong }: { wrong: boolean }) {
  const [password, setPassword] = useState('');
  return (
    <form class="stack" onSubmit={(event) => { event.preventDefault(); if (password) conference?.givePassword(password); }}>
      {/* For password managers: the room is the account. */}
      <input hidden type="text" autocomplete="username" value={room.value} readOnly />
      <label class="field">
        <span>{t('waiting.passwordLabel')}</span>
        <input type="password" data-testid="room-password" value={password} autocomplete="current-password" maxLength={200} autofocus
          aria-invalid={wrong} aria-describedby={wrong ? 'password-error' : undefined} onInput={(event) => setPassword(event.currentTarget.value)} />
      </label>
      {wrong ? <p class="problem" id="password-error" role="alert">{t('waiting.wrongPassword')}</p> : null}
      <button type="submit" class="primary" data-testid="give-password" disabled={!password}>{t('waiting.enter')}</button>
    </form>
  );
}

export function WaitingPage() {
  const what = waitingFor.value;
  const [withPassword, setWithPassword] = useState(false);
  const [signing, setSigning] = useState(false);
  const forPassword = what === 'password' || what === 'wrong-password';
  return (
    <main tabIndex={-1} class="page waiting" data-testid="waiting-page" data-for={what}>
      <header class="top"><Brand /></header>
      <section class="card" aria-live="polite">
        <span class={`emblem${forPassword ? '' : ' breathing'}`} aria-hidden="true"><Icon name={forPassword ? 'lock' : what === 'lobby' ? 'door' : 'clock'} /></span>
        <p class="room-title">{room.value}</p>
        {forPassword ? (
          <>
            <h1>{t('waiting.password')}</h1>
            <PasswordForm wrong={what === 'wrong-password'} />
          </>
        ) : (
          <>
            <h1>{what === 'lobby' ? t('waiting.lobby') : t('waiting.host')}</h1>
            <p class="lead">{what === 'lobby' ? t('waiting.lobbyText') : t('waiting.hostText')}</p>
            <div class="waiting-tools"><MuteButton kind="audio" /><MuteButton kind="video" /></div>
            {what === 'lobby' && withPassword ? <PasswordForm wrong={false} /> : null}
            {what === 'lobby' && !withPassword ? (
              <button type="button" class="link" data-testid="know-password" onClick={() => setWithPassword(true)}>{t('waiting.knowPassword')}</button>
            ) : null}
            {what === 'host' && !signing && ways.value ? (
              <button type="button" class="link" data-testid="open-sign-in" onClick={() => setSigning(true)}>{t('signIn.host')}</button>
            ) : null}
            {what === 'host' && signing ? <SignIn onDone={() => conference?.retryNow()} /> : null}
          </>
        )}
        <button type="button" class="secondary" data-testid="leave" onClick={leave}>{t('waiting.cancel')}</button>
      </section>
    </main>
  );
}
