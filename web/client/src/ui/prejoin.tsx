/** Before the call: look at oneself, choose devices, say one's name. */
import { useEffect, useMemo, useState } from 'preact/hooks';
import { DeviceProblems, DeviceSelect, LevelMeter, MuteButton, Video } from './controls';
import { Modal } from './dialog';
import { t } from './i18n';
import { Icon } from './icons';
import { askWays, signedIn, ways } from './identity';
import { settings } from './settings';
import { SignedIn, SignIn } from './sign_in';
import { Brand } from './start';
import { TestsBefore } from './tests_before';
import { openRoom, room } from './route';
import { camera, join, microphone } from './state';

/** Who is a member says so before the call; who is not needs to know nothing of it. */
function Member() {
  const [open, setOpen] = useState(false);
  useEffect(() => void askWays(), []);
  if (signedIn.value) return <SignedIn />;
  if (!ways.value) return null;
  return (
    <p class="signed-in">
      <button type="button" class="link" data-testid="member" onClick={() => setOpen(true)}>{t('signIn.link')}</button>
      {open ? <Modal title={t('signIn.link')} id="sign-in-dialog" onClose={() => setOpen(false)}><SignIn onDone={() => setOpen(false)} /></Modal> : null}
    </p>
  );
}

export function PrejoinPage() {
  const [name, setName] = useState(settings.value.name);
  const { track, opening } = camera.value;
  const stream = useMemo(() => (track ? new MediaStream([track]) : undefined), [track]);
  const nothing = Boolean(microphone.value.problem && camera.value.problem);
  return (
    <main tabIndex={-1} class="page prejoin" data-testid="prejoin-page">
      <header class="top">
        <button type="button" class="small" aria-label={t('prejoin.back')} title={t('prejoin.back')} onClick={() => openRoom('')}><Icon name="back" /></button>
        <Brand />
      </header>
      <div class="prejoin-body">
        <section class="preview" aria-label={t('prejoin.preview')}>
          {stream ? <Video stream={stream} mirrored id="preview" /> : <p>{opening ? t('prejoin.opening') : t('prejoin.cameraOff')}</p>}
          <div class="preview-tools"><MuteButton kind="audio" /><MuteButton kind="video" /></div>
        </section>
        <form class="prejoin-form" onSubmit={(event) => { event.preventDefault(); join(name); }}>
          <p class="room-title" data-testid="room-title">{room.value}</p>
          <h1>{t('prejoin.heading')}</h1>
          <label class="field">
            <span>{t('prejoin.name')}</span>
            <input data-testid="display-name" value={name} maxLength={60} placeholder={t('prejoin.namePlaceholder')} autocomplete="nickname"
              onInput={(event) => setName(event.currentTarget.value)} autofocus />
          </label>
          <button type="submit" class="primary" data-testid="join">{nothing ? t('prejoin.joinSilently') : t('prejoin.join')}</button>
          <DeviceProblems />
          <DeviceSelect kind="audio" />
          <LevelMeter />
          <DeviceSelect kind="video" />
          <TestsBefore />
          <Member />
        </form>
      </div>
    </main>
  );
}
