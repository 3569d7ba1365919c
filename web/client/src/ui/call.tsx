/** The call: tiles, toolbar, chat, dialogs, and what goes wrong. */
import { useEffect, useState } from 'preact/hooks';
import { ChatPanel } from './chat';
import { MuteButton, ToolButton } from './controls';
import { toasts } from './announce';
import { t } from './i18n';
import { Icon } from './icons';
import { lazy } from './lazy';
import { useShortcuts, toggleFullscreen } from './shortcuts';
import { Tiles } from './tiles';
import { room } from './route';
import { chatOpen, conference, conferenceState, copyLink, dialog, leave, media, participants, setChatOpen, soundBlocked, unread } from './state';

const SettingsDialog = lazy(() => import('./settings_dialog').then((module) => module.SettingsDialog));
const HelpDialog = lazy(() => import('./help_dialog').then((module) => module.HelpDialog));

function Toolbar() {
  const [full, setFull] = useState(false);
  useEffect(() => {
    const update = () => setFull(document.fullscreenElement !== null);
    document.addEventListener('fullscreenchange', update);
    return () => document.removeEventListener('fullscreenchange', update);
  }, []);
  return (
    <div class="toolbar" role="group" aria-label={t('toolbar.label')} data-testid="toolbar">
      <MuteButton kind="audio" />
      <MuteButton kind="video" />
      <ToolButton id="toggle-chat" icon="chat" label={t('toolbar.chat')} keys="C" pressed={chatOpen.value} badge={unread.value} onClick={() => setChatOpen(!chatOpen.value)} />
      <ToolButton id="copy-link" icon="link" label={t('toolbar.copy')} onClick={() => void copyLink()} />
      <span class="wide-only">
        <ToolButton id="fullscreen" icon="fullscreen" label={full ? t('toolbar.exitFullscreen') : t('toolbar.fullscreen')} keys="F" onClick={toggleFullscreen} />
        <ToolButton id="open-help" icon="keyboard" label={t('toolbar.help')} keys="?" onClick={() => (dialog.value = 'help')} />
      </span>
      <ToolButton id="open-settings" icon="settings" label={t('toolbar.settings')} onClick={() => (dialog.value = 'settings')} />
      <ToolButton id="leave" icon="leave" label={t('toolbar.leave')} kind="danger" onClick={leave} />
    </div>
  );
}

/** One line above the tiles about what is wrong, if anything is. */
function Banner() {
  const state = conferenceState.value;
  const text = state === 'connecting' ? t('state.connecting') : state === 'reconnecting' ? t('state.reconnecting')
    : media.value === 'interrupted' ? t('state.mediaLost') : undefined;
  if (text) {
    return (
      <div class={`banner${state === 'connecting' ? '' : ' trouble'}`} role="status" data-testid="banner" data-state={state}>
        <span class="spinner" aria-hidden="true" />{text}
        {state === 'reconnecting' ? <button type="button" class="link" onClick={() => conference?.retryNow()}>{t('state.retry')}</button> : null}
      </div>
    );
  }
  if (!soundBlocked.value) return null;
  return (
    <div class="banner" role="status">
      {t('call.sound')}
      <button type="button" class="link" data-testid="play-sound" onClick={() => (soundBlocked.value = false)}>{t('call.playSound')}</button>
    </div>
  );
}

function Alone() {
  if (conferenceState.value !== 'joined' || participants.value.length > 0) return null;
  return (
    <div class="alone" data-testid="alone">
      <p><b>{t('call.alone')}</b><br />{t('call.share')}</p>
      <button type="button" class="copy" onClick={() => void copyLink()}><span>{location.host}/{room.value}</span><Icon name="link" /></button>
    </div>
  );
}

export function CallPage() {
  useShortcuts();
  return (
    <main tabIndex={-1} class={`call${chatOpen.value ? ' with-chat' : ''}`} data-testid="call-page" data-state={conferenceState.value} data-media={media.value}>
      <h1 class="visually-hidden">{room.value}</h1>
      <div class="stage">
        <Banner />
        <Tiles />
        <Alone />
      </div>
      {chatOpen.value ? <ChatPanel /> : null}
      <Toolbar />
      <div class="toasts" aria-hidden="true">{toasts.value.map((toast) => <p key={toast.id} data-testid="toast">{toast.text}</p>)}</div>
      {dialog.value === 'settings' ? <SettingsDialog /> : dialog.value === 'help' ? <HelpDialog /> : null}
    </main>
  );
}
