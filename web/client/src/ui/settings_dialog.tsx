/** What a person may set during the call. */
import { LanguageSelect, ThemeSelect } from './appearance';
import { BlurSwitch, SpeakerSelect, TalkKey } from './call_settings';
import { DeviceProblems, DeviceSelect, LevelMeter } from './controls';
import { Modal } from './dialog';
import { t } from './i18n';
import { change, settings } from './settings';
import { dialog, setName } from './state';

export function SettingsDialog() {
  const { name, joinSound } = settings.value;
  return (
    <Modal title={t('settings.heading')} id="settings" onClose={() => (dialog.value = 'none')}>
      <label class="field">
        <span>{t('settings.name')}</span>
        <input data-testid="settings-name" value={name} maxLength={60} onChange={(event) => setName(event.currentTarget.value)} />
      </label>
      <DeviceProblems />
      <DeviceSelect kind="audio" />
      <LevelMeter />
      <SpeakerSelect />
      <DeviceSelect kind="video" />
      <BlurSwitch />
      <label class="check"><input type="checkbox" data-testid="join-sound" checked={joinSound} onChange={(event) => change({ joinSound: event.currentTarget.checked })} />{t('settings.sound')}</label>
      <TalkKey />
      <LanguageSelect id="settings-language" />
      <ThemeSelect />
    </Modal>
  );
}
