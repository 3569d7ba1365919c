/** Who is here: hands first, then moderators, then the others; and who waits outside. */
import { useState } from 'preact/hooks';
import type { Participant } from '../conference';
import { t } from './i18n';
import { Icon } from './icons';
import { LobbyQueue } from './lobby_queue';
import { attempt, hands, handUp, isModerator } from './meeting';
import { MenuButton } from './menu';
import { Panel } from './panel';
import { PersonRow } from './person_row';
import { settings } from './settings';
import { conference, dialog, microphone, camera, nameOf, participants } from './state';

/** From this many on a search field is worth its place. */
const SEARCH_FROM = 6;

/** Accents and case do not matter to who looks for a name. */
function plain(text: string): string {
  return text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
}

function order(people: readonly Participant[]): Participant[] {
  const place = new Map(hands.value.map((p, index) => [p.id, index]));
  const rank = (p: Participant) => place.get(p.id) ?? (p.moderator ? 10_000 : 20_000);
  return [...people].sort((a, b) => rank(a) - rank(b) || nameOf(a).localeCompare(nameOf(b)));
}

export function PeoplePanel() {
  const [search, setSearch] = useState('');
  const shown = order(participants.value).filter((p) => plain(nameOf(p)).includes(plain(search)));
  const count = participants.value.length + 1;
  const moderating = isModerator.value;
  const everybody = [
    { id: 'mute-everybody', icon: 'micOff', label: t('people.muteAll'), onSelect: () => attempt(conference?.meeting.muteAll('audio')) },
    { id: 'cameras-off', icon: 'cameraOff', label: t('people.camerasOff'), onSelect: () => attempt(conference?.meeting.muteAll('video')) },
    { id: 'open-security', icon: 'shield', label: t('toolbar.security'), onSelect: () => (dialog.value = 'security') },
  ] as const;
  const tools = (
    <>
      <button type="button" class="small" aria-label={t('toolbar.invite')} title={t('toolbar.invite')} data-testid="people-invite" onClick={() => (dialog.value = 'invite')}><Icon name="invite" /></button>
      {moderating ? <MenuButton id="everybody-menu" class="small" label={t('people.everybody')} items={everybody}><Icon name="more" /></MenuButton> : null}
    </>
  );
  return (
    <Panel id="people" title={t('people.heading', { count })} tools={tools}>
      <div class="panel-body">
        <LobbyQueue />
        {count > SEARCH_FROM ? (
          <label class="search">
            <Icon name="search" />
            <input type="search" data-testid="people-search" aria-label={t('people.search')} placeholder={t('people.search')} value={search} onInput={(event) => setSearch(event.currentTarget.value)} />
          </label>
        ) : null}
        <ul class="people-list" aria-label={t('call.grid')}>
          <PersonRow id="local" name={settings.value.name ? t('call.nameYou', { name: settings.value.name }) : t('call.you')} initialsOf={settings.value.name || t('call.you')} own moderator={moderating}
            audioMuted={microphone.value.muted} videoMuted={camera.value.muted} hand={handUp.value ? 0 : undefined} />
          {shown.map((p) => (
            <PersonRow key={p.id} id={p.id} name={nameOf(p)} moderator={p.moderator} audioMuted={p.audioMuted} videoMuted={p.videoMuted} shares={p.screens.length > 0}
              hand={p.raisedHand === undefined ? undefined : hands.value.findIndex((other) => other.id === p.id) + 1} />
          ))}
        </ul>
        {shown.length === 0 && search ? <p class="empty" role="status">{t('people.nobody')}</p> : null}
      </div>
    </Panel>
  );
}
