/** The keys that work during a call. */
import { Modal } from './dialog';
import { t } from './i18n';
import { dialog } from './state';

const KEYS = [
  ['M', 'help.microphone'], ['V', 'help.camera'], ['C', 'help.chat'], ['P', 'help.people'], ['R', 'help.hand'], ['F', 'help.fullscreen'], ['Space', 'help.talk'], ['?', 'help.list'], ['Esc', 'help.close'],
] as const;

export function HelpDialog() {
  return (
    <Modal title={t('help.heading')} id="help" onClose={() => (dialog.value = 'none')}>
      <dl class="keys">
        {KEYS.map(([key, text]) => <div key={key}><dt><kbd>{key}</kbd></dt><dd>{t(text)}</dd></div>)}
      </dl>
    </Modal>
  );
}
