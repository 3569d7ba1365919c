/** What a moderator sets besides who may come in: the topic, and how newcomers begin. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { t } from './i18n';
import { attempt, isModerator, roomSettings, subject } from './meeting';
import { conference } from './state';

const MAX_TOPIC = 100;
const MAX_PEOPLE = 10_000;

export function Topic() {
  const [text, setText] = useState(subject.value);
  const known = useRef(subject.value);
  useEffect(() => {
    // What one is typing is not taken away by somebody else's change.
    const before = known.current;
    known.current = subject.value;
    setText((now) => (now.trim() === before ? subject.value : now));
  }, [subject.value]);
  const submit = (event: Event) => {
    event.preventDefault();
    conference?.meeting.setSubject(text.trim());
  };
  return (
    <form class="row" onSubmit={submit}>
      <label class="field"><span>{t('security.topic')}</span>
        <input data-testid="set-topic" value={text} maxLength={MAX_TOPIC} autocomplete="off" placeholder={t('security.topicNone')}
          onInput={(event) => setText(event.currentTarget.value)} /></label>
      <button type="submit" class="secondary compact" data-testid="save-topic" disabled={text.trim() === subject.value}>{t('security.save')}</button>
    </form>
  );
}

export function Newcomers() {
  const current = roomSettings.value;
  const meeting = conference?.meeting;
  const switches = [
    ['audio', 'start-audio-muted', current?.startAudioMuted],
    ['video', 'start-video-muted', current?.startVideoMuted],
    ['wait', 'wait-for-host', current?.waitForHost],
  ] as const;
  const limit = (text: string) => {
    const number = Math.min(MAX_PEOPLE, Math.max(0, Math.trunc(Number(text) || 0)));
    attempt(meeting?.change({ 'max-participants': number }));
  };
  return (
    <fieldset class="choices" disabled={!isModerator.value}>
      <legend>{t('security.newcomers')}</legend>
      {switches.map(([name, setting, on]) => (
        <label key={name} class="check">
          <input type="checkbox" data-testid={`newcomers-${name}`} checked={on ?? false} onChange={(event) => attempt(meeting?.change({ [setting]: event.currentTarget.checked }))} />
          <span>{t(`security.newcomersMay.${name}`)}</span>
        </label>
      ))}
      <label class="field short"><span>{t('security.limit')}</span>
        <input type="number" min="0" max={MAX_PEOPLE} data-testid="max-participants" value={current?.maxParticipants ?? 0} onChange={(event) => limit(event.currentTarget.value)} /></label>
    </fieldset>
  );
}
