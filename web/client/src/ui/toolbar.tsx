/** The call's controls. */
import { useEffect, useState } from 'preact/hooks';
import { ScreenCapture } from '../conference/screen';
import { MuteButton, ToolButton } from './controls';
import { t } from './i18n';
import { Icon } from './icons';
import { breakouts, handUp, isModerator, lobby, newPolls, toggleHand } from './meeting';
import { MenuButton } from './menu';
import { ReactionItems, ReactionsButton } from './reactions';
import { ShareButton } from './share_button';
import { toggleFullscreen } from './shortcuts';
import { stageMenu } from './stage/menu';
import { dialog, leave, panel, participants, sharing, togglePanel, toggleShare, unread } from './state';

function useFullscreen(): boolean {
  const [full, setFull] = useState(false);
  useEffect(() => {
    const update = () => setFull(document.fullscreenElement !== null);
    document.addEventListener('fullscreenchange', update);
    return () => document.removeEventListener('fullscreenchange', update);
  }, []);
  return full;
}

export function Toolbar() {
  const full = useFullscreen();
  const more = [
    { id: 'hand-item', icon: 'hand', narrow: true, label: handUp.value ? t('toolbar.lowerHand') : t('toolbar.raiseHand'), onSelect: toggleHand },
    ...(ScreenCapture.possible ? [{ id: 'share-item', icon: 'screen', narrow: true, label: sharing.value ? t('share.stop') : t('share.start'), onSelect: () => void toggleShare() } as const] : []),
    { id: 'copy-link', icon: 'invite', label: t('toolbar.invite'), onSelect: () => (dialog.value = 'invite') },
    { id: 'toggle-polls', icon: 'poll', label: t('polls.heading'), badge: newPolls.value, onSelect: () => togglePanel('polls') },
    ...(isModerator.value || breakouts.value.length > 1 ? [{ id: 'toggle-breakout', icon: 'grid', label: t('breakout.heading'), onSelect: () => togglePanel('breakout') } as const] : []),
    { id: 'open-security-menu', icon: 'shield', label: t('toolbar.security'), onSelect: () => (dialog.value = 'security') },
    { id: 'open-speakers', icon: 'clock', label: t('speakers.heading'), onSelect: () => (dialog.value = 'speakers') },
    ...stageMenu(),
    { id: 'fullscreen', icon: 'fullscreen', label: full ? t('toolbar.exitFullscreen') : t('toolbar.fullscreen'), keys: 'F', onSelect: toggleFullscreen },
    { id: 'open-help', icon: 'keyboard', label: t('toolbar.help'), keys: '?', onSelect: () => (dialog.value = 'help') },
    { id: 'open-settings', icon: 'settings', label: t('toolbar.settings'), onSelect: () => (dialog.value = 'settings') },
  ] as const;
  return (
    <div class="toolbar" role="group" aria-label={t('toolbar.label')} data-testid="toolbar">
      <MuteButton kind="audio" />
      <MuteButton kind="video" />
      <span class="wide-only"><ShareButton /></span>
      <span class="gap" />
      <span class="wide-only"><ToolButton id="toggle-hand" icon="hand" label={handUp.value ? t('toolbar.lowerHand') : t('toolbar.raiseHand')} keys="R" pressed={handUp.value} onClick={toggleHand} /><ReactionsButton /></span>
      <ToolButton id="toggle-chat" icon="chat" label={t('toolbar.chat')} keys="C" pressed={panel.value === 'chat'} badge={unread.value} badgeText={t('toolbar.unread', { count: unread.value })} onClick={() => togglePanel('chat')} />
      <ToolButton id="toggle-people" icon="people" label={t('people.heading', { count: participants.value.length + 1 })} keys="P" pressed={panel.value === 'people'} badge={lobby.value.length} badgeText={t('lobby.waiting', { count: lobby.value.length })}
        count={participants.value.length + 1} onClick={() => togglePanel('people')} />
      <MenuButton id="more" class={`tool${newPolls.value ? ' noted' : ''}`} label={t('toolbar.more')} items={more} top={<ReactionItems />}><Icon name="more" /></MenuButton>
      <span class="gap" />
      <ToolButton id="leave" icon="leave" label={t('toolbar.leave')} kind="danger" onClick={leave} />
    </div>
  );
}
