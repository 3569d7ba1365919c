/** Shares a screen, a window or a tab; phones cannot. */
import { ScreenCapture } from '../conference/screen';
import { ToolButton } from './controls';
import { t } from './i18n';
import { sharing, toggleShare } from './state';

export function ShareButton() {
  if (!ScreenCapture.possible) return null;
  return (
    <ToolButton id="share" icon="screen" label={t(sharing.value ? 'share.stop' : 'share.start')} keys="S" pressed={sharing.value} onClick={() => void toggleShare()} />
  );
}
