/** Rows of the settings dialog about speakers, the key to talk, and the camera's background. */
import { useLayoutEffect, useState } from 'preact/hooks';
import { useDevices } from './hooks';
import { t } from './i18n';
import { change, settings } from './settings';
import { camera, microphone } from './state';

/** Where others are heard; not every browser lets a page choose. */
export function SpeakerSelect() {
  const devices = useDevices('audiooutput', microphone.value.track);
  if (!('setSinkId' in HTMLMediaElement.prototype) || devices.length === 0) return null;
  return (
    <label class="field">
      <span>{t('settings.speaker')}</span>
      <select data-testid="select-speaker" value={settings.value.speakerDevice} onChange={(event) => change({ speakerDevice: event.currentTarget.value })}>
        <option value="">{t('prejoin.defaultDevice')}</option>
        {devices.filter((d) => d.deviceId !== 'default').map((d, i) => <option key={d.deviceId} value={d.deviceId}>{d.label || `${t('settings.speaker')} ${i + 1}`}</option>)}
      </select>
    </label>
  );
}

/** A key's name as it is printed on keyboards, as far as its code tells. */
export function keyName(code: string): string {
  return code.replace(/^(Key|Digit)/, '').replace(/([a-z])([A-Z])/g, '$1 $2');
}

/** Keys that have another meaning in the call or in the browser. */
const TAKEN = /^(Escape|Tab|Enter|F\d+|Arrow.*|Key[MVCFSWPR]|Slash|Meta.*)$/;

export function TalkKey() {
  const [waiting, setWaiting] = useState(false);
  useLayoutEffect(() => {
    if (!waiting) return;
    const take = (event: KeyboardEvent) => {
      event.preventDefault();
      event.stopImmediatePropagation();
      if (event.code && !TAKEN.test(event.code)) change({ talkKey: event.code });
      setWaiting(false);
    };
    addEventListener('keydown', take, true);
    return () => removeEventListener('keydown', take, true);
  }, [waiting]);
  const { pushToTalk, pushToMute, talkButton, talkKey } = settings.value;
  return (
    <fieldset class="rows">
      <legend>{t('talk.heading')}</legend>
      <label class="check"><input type="checkbox" data-testid="push-to-talk" checked={pushToTalk} onChange={(event) => change({ pushToTalk: event.currentTarget.checked })} />{t('talk.push')}</label>
      <label class="check"><input type="checkbox" data-testid="push-to-mute" checked={pushToMute} onChange={(event) => change({ pushToMute: event.currentTarget.checked })} />{t('talk.pushMute')}</label>
      <label class="check"><input type="checkbox" data-testid="talk-button-on" checked={talkButton} onChange={(event) => change({ talkButton: event.currentTarget.checked })} />{t('talk.button')}</label>
      <p class="row"><span>{t('talk.key')}</span>
        <button type="button" class="secondary" data-testid="talk-key" onClick={() => setWaiting(true)}>{waiting ? t('talk.press') : <kbd>{keyName(talkKey)}</kbd>}</button></p>
    </fieldset>
  );
}

interface BlurCapability {
  readonly backgroundBlur?: readonly boolean[];
}

/** Only where the system's own camera software blurs: the picture is not sent anywhere for it. */
export function BlurSwitch() {
  const { track } = camera.value;
  const can = (track?.getCapabilities?.() as BlurCapability | undefined)?.backgroundBlur;
  const [on, setOn] = useState((track?.getSettings() as { backgroundBlur?: boolean } | undefined)?.backgroundBlur === true);
  if (!track || !can || can.length < 2) return null;
  const blur = async (wanted: boolean) => {
    try {
      await track.applyConstraints({ backgroundBlur: wanted } as MediaTrackConstraints);
      setOn(wanted);
    } catch {
      setOn(!wanted); // The camera's software thought otherwise.
    }
  };
  return <label class="check"><input type="checkbox" data-testid="blur" checked={on} onChange={(event) => void blur(event.currentTarget.checked)} />{t('settings.blur')}</label>;
}
