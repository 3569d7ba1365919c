/** How long each has spoken, as the server counts the dominant speaker. */
import { useEffect } from 'preact/hooks';
import { clock } from './clock';
import { Modal } from './dialog';
import { t } from './i18n';
import { speakerTimes } from './meeting';
import { conference, dialog, nameOf, participants } from './state';

const ASK_MS = 3_000;

export function SpeakersDialog() {
  useEffect(() => {
    conference?.meeting.askSpeakerTimes();
    const timer = setInterval(() => conference?.meeting.askSpeakerTimes(), ASK_MS);
    return () => clearInterval(timer);
  }, []);
  const names = new Map(participants.value.map((p) => [p.id, nameOf(p)]));
  if (conference?.endpointId) names.set(conference.endpointId, t('call.you'));
  const times = [...speakerTimes.value].filter((one) => one.seconds >= 1).sort((a, b) => b.seconds - a.seconds);
  const most = Math.max(1, ...times.map((one) => one.seconds));
  return (
    <Modal title={t('speakers.heading')} id="speakers" onClose={() => (dialog.value = 'none')}>
      {times.length === 0 ? <p class="empty">{t('speakers.empty')}</p> : (
        <ul class="bars">
          {times.map((one) => (
            <li key={one.id} data-testid="speaker-time" data-id={one.id}>
              <bdi>{names.get(one.id) ?? nameOf(one)}</bdi><span>{clock(one.seconds)}</span>
              <meter min={0} max={most} value={one.seconds} aria-hidden="true" />
            </li>
          ))}
        </ul>
      )}
    </Modal>
  );
}
