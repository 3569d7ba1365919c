/** A moderator asks for our voice or picture: an answer with one click, and nothing by itself. */
import { t } from './i18n';
import { askedToUnmute } from './meeting';
import { camera, microphone, nameOf, participants, toggle } from './state';

export function Asked() {
  const asked = askedToUnmute.value;
  if (!asked || asked.kind === 'desktop') return null;
  const { kind } = asked;
  const view = kind === 'audio' ? microphone.value : camera.value;
  const name = nameOf(participants.value.find((p) => p.id === asked.by) ?? { name: '' });
  const done = () => (askedToUnmute.value = undefined);
  return (
    <div class="banner asked" role="status" data-testid="asked">
      <span>{kind === 'audio' ? t('people.askedAudio', { name }) : t('people.askedVideo', { name })}</span>
      <button type="button" class="primary compact" data-testid="asked-yes" onClick={() => { if (view.muted) toggle(kind); done(); }}>{kind === 'audio' ? t('toolbar.unmute') : t('toolbar.cameraOn')}</button>
      <button type="button" class="secondary compact" data-testid="asked-no" onClick={done}>{t('people.notNow')}</button>
    </div>
  );
}
