/** The large button that fingers hold to talk, or to be silent for a moment. */
import { t } from './i18n';
import { Icon } from './icons';
import { held, hold, letGo } from './push_to_talk';
import { settings } from './settings';
import { microphone } from './state';

export function TalkButton() {
  const { talkButton, pushToTalk, pushToMute } = settings.value;
  const { muted, track } = microphone.value;
  if (!talkButton || !track) return null;
  const talking = held.value === 'talking';
  const silent = held.value === 'silent';
  const talks = talking || (muted && !silent);
  if (talks ? !pushToTalk : !pushToMute) return null;
  const label = t(talking ? 'talk.talking' : silent ? 'talk.silent' : talks ? 'talk.hold' : 'talk.holdSilent');
  return (
    <button type="button" class={`talk-button ${held.value}`} data-testid="talk-button" aria-pressed={talking || silent}
      onPointerDown={(event) => { event.currentTarget.setPointerCapture(event.pointerId); hold(); }} onLostPointerCapture={letGo}
      onKeyDown={(event) => { if (event.key === ' ' || event.key === 'Enter') { event.preventDefault(); if (!event.repeat) hold(); } }}
      onKeyUp={letGo} onBlur={letGo} onContextMenu={(event) => event.preventDefault()}>
      <Icon name={talks ? 'mic' : 'micOff'} />{label}
    </button>
  );
}
