/** The keys that work during a call. */
import { keyName } from './call_settings';
import { Modal } from './dialog';
import { t } from './i18n';
import { settings } from './settings';
import { dialog } from './state';

const KEYS = [
  ['M', 'help.microphone'], ['V', 'help.camera'], ['C', 'help.chat'], ['P', 'help.people'], ['R', 'help.hand'], ['S', 'help.share'], ['W', 'help.layout'], ['F', 'help.fullscreen'], ['', 'help.talk'], ['?', 'help.list'], ['Esc', 'help.close'],
] as const;

export function HelpDialog() {
  return (
    <Modal title={t('help.heading')} id="help" onClose={() => (dialog.value = 'none')}>
      <dl class="keys">
        {KEYS.map(([key, text]) => <div key={key}><dt><kbd>{key || keyName(settings.value.talkKey)}</kbd></dt><dd>{t(text)}</dd></div>)}
      </dl>
    </Modal>
  );
}
