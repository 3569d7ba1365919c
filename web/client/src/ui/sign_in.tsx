/** Signing in as a member: by name and password, by single sign-on, or by both. */
import { useState } from 'preact/hooks';
import { t } from './i18n';
import { beginSingleSignOn, signedIn, signIn, signOut, ways, type LoginFailure } from './identity';
import { room } from './route';

export function SignIn({ onDone }: { onDone: () => void }) {
  const [user, setUser] = useState('');
  const [password, setPassword] = useState('');
  const [failed, setFailed] = useState<LoginFailure | undefined>(undefined);
  const [busy, setBusy] = useState(false);
  const { password: byPassword, oidc } = ways.value ?? { password: false, oidc: null };
  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    const failure = await signIn(user.trim(), password);
    setBusy(false);
    setFailed(failure);
    setPassword('');
    if (!failure) onDone();
  };
  return (
    <div class="stack" data-testid="sign-in">
      {byPassword ? (
        <form class="stack" onSubmit={(event) => void submit(event)}>
          <label class="field">
            <span>{t('signIn.user')}</span>
            <input data-testid="sign-in-user" value={user} autocomplete="username" autocapitalize="none" spellcheck={false} maxLength={200} onInput={(event) => setUser(event.currentTarget.value)} autofocus />
          </label>
          <label class="field">
            <span>{t('signIn.password')}</span>
            <input type="password" data-testid="sign-in-password" value={password} autocomplete="current-password" maxLength={500} onInput={(event) => setPassword(event.currentTarget.value)} />
          </label>
          {failed ? <p class="problem" role="alert" data-testid="sign-in-failed">{t(`signIn.failed.${failed}`)}</p> : null}
          <button type="submit" class="primary" data-testid="sign-in-go" disabled={busy || !user || !password}>{t('signIn.go')}</button>
        </form>
      ) : null}
      {oidc !== null ? (
        <button type="button" class="secondary" data-testid="sign-in-oidc"
          onClick={() => void beginSingleSignOn(room.value).then(setFailed)}>{t('signIn.with', { name: oidc })}</button>
      ) : null}
    </div>
  );
}

/** Who is signed in, with a way out. */
export function SignedIn() {
  const session = signedIn.value;
  if (!session) return null;
  return (
    <p class="signed-in" data-testid="signed-in">
      <span>{t('signIn.as', { name: session.name })}</span>{' '}
      <button type="button" class="link" data-testid="sign-out" onClick={() => void signOut()}>{t('signIn.out')}</button>
    </p>
  );
}
