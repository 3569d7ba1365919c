/** The moderators' panel: who may come in, and who may speak, show and share. */
import { useState } from 'preact/hooks';
import type { Access, ModeratedKind } from '../conference';
import { Modal } from './dialog';
import { t } from './i18n';
import { attempt, isModerator, moderation, roomSettings } from './meeting';
import { Newcomers, Topic } from './meeting_settings';
import { conference, dialog } from './state';

const ACCESS: readonly Access[] = ['open', 'lobby', 'members', 'locked'];
const KINDS: readonly ModeratedKind[] = ['audio', 'video', 'desktop'];

function Password() {
  const [password, setPassword] = useState('');
  const meeting = conference?.meeting;
  const isSet = roomSettings.value?.password ?? false;
  const submit = (event: Event) => {
    event.preventDefault();
    if (!password) return;
    attempt(meeting?.change({ password }));
    setPassword('');
  };
  return (
    <form class="row" onSubmit={submit}>
      <label class="field"><span>{isSet ? t('security.passwordSet') : t('security.password')}</span>
        <input data-testid="set-password" value={password} maxLength={100} autocomplete="off" spellcheck={false}
          placeholder={isSet ? t('security.newPassword') : ''} onInput={(event) => setPassword(event.currentTarget.value)} /></label>
      <button type="submit" class="secondary compact" data-testid="save-password" disabled={!password}>{t('security.save')}</button>
      {isSet ? <button type="button" class="secondary compact" data-testid="clear-password" onClick={() => attempt(meeting?.change({ password: '' }))}>{t('security.clear')}</button> : null}
    </form>
  );
}

export function SecurityDialog() {
  const [ending, setEnding] = useState(false);
  const current = roomSettings.value;
  const meeting = conference?.meeting;
  const may = isModerator.value;
  const restricted = moderation.value?.restricted;
  return (
    <Modal title={t('security.heading')} id="security" onClose={() => (dialog.value = 'none')}>
      {may ? null : <p class="note" data-testid="security-read-only">{t('security.readOnly')}</p>}
      <fieldset class="choices" disabled={!may}>
        <legend>{t('security.access')}</legend>
        {ACCESS.filter((access) => access !== 'lobby' || meeting?.hasLobby).map((access) => (
          <label key={access} class="check">
            <input type="radio" name="access" data-testid={`access-${access}`} checked={current?.access === access} onChange={() => attempt(meeting?.change({ access }))} />
            <span><b>{t(`security.${access}`)}</b><small>{t(`security.${access}Text`)}</small></span>
          </label>
        ))}
      </fieldset>
      {may ? <Password /> : null}
      <Newcomers />
      <fieldset class="choices" disabled={!may}>
        <legend>{t('security.rights')}</legend>
        {KINDS.map((kind) => (
          <label key={kind} class="check">
            <input type="checkbox" data-testid={`may-${kind}`} checked={!restricted?.has(kind)} onChange={(event) => meeting?.restrict(kind, !event.currentTarget.checked)} />
            <span>{t(`security.may.${kind}`)}</span>
          </label>
        ))}
      </fieldset>
      {may ? <Topic /> : null}
      {may ? (
        <div class="row end">
          {ending ? (
            <>
              <button type="button" class="secondary compact" onClick={() => setEnding(false)}>{t('security.keep')}</button>
              <button type="button" class="primary compact danger-fill" data-testid="end-for-all" onClick={() => meeting?.endForAll()}>{t('security.endNow')}</button>
            </>
          ) : <button type="button" class="secondary compact" data-testid="ask-end" onClick={() => setEnding(true)}>{t('security.end')}</button>}
        </div>
      ) : null}
    </Modal>
  );
}
