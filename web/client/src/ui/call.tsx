/** The call: tiles, toolbar, chat, dialogs, and what goes wrong. */
import { useEffect } from 'preact/hooks';
import { toasts } from './announce';
import { Asked } from './asked';
import { BreakoutBar } from './breakout_bar';
import { t } from './i18n';
import { Icon } from './icons';
import { lazy } from './lazy';
import { Knock } from './lobby_queue';
import { isModerator } from './meeting';
import { MeetingLine } from './meeting_line';
import { FloatingReactions } from './reactions';
import { reporting } from './reporting';
import { room } from './route';
import { useShortcuts } from './shortcuts';
import { conference, conferenceState, copyLink, dialog, media, panel, participants, showPanel, soundBlocked } from './state';
import { LinkOffer, useLinkWatch } from './link_offer';
import { useMicrophoneHints } from './microphone_hints';
import { PANELS } from './panels';
import { usePushToTalk } from './push_to_talk';
import { comparing, inspected } from './stage/inspected';
import { PathChip } from './stage/path_chip';
import { closePip } from './stage/pip';
import { Stage } from './stage/stage';
import { Voices } from './stage/voice';
import { TalkButton } from './talk_button';
import { Toolbar } from './toolbar';

const DIALOGS = {
  settings: lazy(() => import('./settings_dialog').then((module) => module.SettingsDialog)),
  help: lazy(() => import('./help_dialog').then((module) => module.HelpDialog)),
  invite: lazy(() => import('./invite_dialog').then((module) => module.InviteDialog)),
  security: lazy(() => import('./security_dialog').then((module) => module.SecurityDialog)),
  speakers: lazy(() => import('./speakers_dialog').then((module) => module.SpeakersDialog)),
};
const ReportDialog = lazy(() => import('./report_dialog').then((module) => module.ReportDialog));
const PersonDialog = lazy(() => import('./stage/person_dialog').then((module) => module.PersonDialog));
const PathDialog = lazy(() => import('./stage/path_dialog').then((module) => module.PathDialog));

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
  usePushToTalk();
  useShortcuts();
  useMicrophoneHints();
  useLinkWatch();
  useEffect(() => closePip, []);
  const Panel = panel.value === 'none' ? undefined : PANELS[panel.value];
  const Dialog = dialog.value === 'none' ? undefined : DIALOGS[dialog.value];
  return (
    <main tabIndex={-1} class={`call${Panel ? ' with-panel' : ''}`} data-testid="call-page" data-state={conferenceState.value} data-media={media.value}>
      <h1 class="visually-hidden">{room.value}</h1>
      <div class="stage">
        <Banner />
        <Asked />
        <BreakoutBar />
        {isModerator.value && panel.value !== 'people' ? <Knock onOpen={() => showPanel('people')} /> : null}
        <LinkOffer />
        <Stage />
        <div class="facts"><PathChip /><MeetingLine /></div>
        <TalkButton />
        <Alone />
        <FloatingReactions />
        <div class="toasts" aria-hidden="true">{toasts.value.map((toast) => <p key={toast.id} data-testid="toast">{toast.text}</p>)}</div>
      </div>
      <Voices />
      {Panel ? <Panel /> : null}
      <Toolbar />
      {Dialog ? <Dialog /> : null}
      {reporting.value !== undefined ? <ReportDialog /> : null}
      {inspected.value !== undefined ? <PersonDialog /> : comparing.value ? <PathDialog /> : null}
    </main>
  );
}
