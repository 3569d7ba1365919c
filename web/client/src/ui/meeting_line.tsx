/** What the meeting is about, and how long it lasts already. */
import { useEffect, useState } from 'preact/hooks';
import { clock } from './clock';
import { t } from './i18n';
import { roomSettings, subject } from './meeting';
import { conferenceState } from './state';

export function MeetingLine() {
  const created = roomSettings.value?.created ?? 0;
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  if (conferenceState.value !== 'joined' || (!created && !subject.value)) return null;
  const time = created ? clock((now - created) / 1000) : '';
  return (
    <p class="meeting-line" data-testid="meeting-line">
      {subject.value ? <bdi class="topic">{subject.value}</bdi> : null}
      {time ? <span role="timer" aria-label={t('call.since', { time })}>{time}</span> : null}
    </p>
  );
}
