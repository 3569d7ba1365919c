/** One person in the list, with what may be done about them. */
import { t } from './i18n';
import { Icon } from './icons';
import { attempt, isModerator, moderation } from './meeting';
import { MenuButton, type MenuItem } from './menu';
import { reporting } from './reporting';
import { chatWith, conference, showPanel } from './state';
import { hue, initials } from './stage/avatar';

export interface PersonRowProps {
  readonly id: string;
  readonly name: string;
  /** The name without what stands around it. */
  readonly initialsOf?: string;
  readonly own?: boolean;
  readonly moderator: boolean;
  readonly audioMuted: boolean;
  readonly videoMuted: boolean;
  readonly shares?: boolean;
  /** The place among the raised hands, 0 for our own; undefined while it is down. */
  readonly hand?: number;
}

function actions({ id, moderator, audioMuted, videoMuted, shares }: PersonRowProps): MenuItem[] {
  const meeting = conference?.meeting;
  const items: MenuItem[] = [{
    id: 'write-privately', icon: 'chat', label: t('people.write'), onSelect: () => {
      chatWith.value = id;
      showPanel('chat');
    },
  }];
  const report: MenuItem = { id: 'report-person', icon: 'shield', label: t('people.report'), onSelect: () => (reporting.value = id) };
  if (!isModerator.value) return [...items, report];
  items.push(audioMuted
    ? { id: 'ask-audio', icon: 'mic', label: t('people.askAudio'), onSelect: () => attempt(meeting?.askToUnmute('audio', id)) }
    : { id: 'mute-audio', icon: 'micOff', label: t('people.mute'), onSelect: () => attempt(meeting?.mute('audio', id)) });
  items.push(videoMuted
    ? { id: 'ask-video', icon: 'camera', label: t('people.askVideo'), onSelect: () => attempt(meeting?.askToUnmute('video', id)) }
    : { id: 'mute-video', icon: 'cameraOff', label: t('people.cameraOff'), onSelect: () => attempt(meeting?.mute('video', id)) });
  if (shares) items.push({ id: 'mute-desktop', icon: 'screen', label: t('people.stopShare'), onSelect: () => attempt(meeting?.mute('desktop', id)) });
  const restricted = moderation.value?.restricted;
  for (const kind of ['audio', 'video', 'desktop'] as const) {
    if (moderator || !restricted?.has(kind)) continue;
    const allowed = moderation.value?.allowed.get(kind)?.has(id) ?? false;
    items.push({ id: `allow-${kind}`, icon: 'check', label: allowed ? t(`people.forbid.${kind}`) : t(`people.allow.${kind}`), onSelect: () => meeting?.allow(kind, id, !allowed) });
  }
  items.push({
    id: 'set-moderator', icon: 'star', label: moderator ? t('people.unmakeModerator') : t('people.makeModerator'),
    onSelect: () => attempt(meeting?.setModerator(id, !moderator)),
  });
  items.push({ id: 'kick', icon: 'door', label: t('people.kick'), danger: true, onSelect: () => attempt(meeting?.remove(id, false)) });
  items.push({ id: 'ban', icon: 'lock', label: t('people.ban'), danger: true, onSelect: () => attempt(meeting?.remove(id, true)) });
  return [...items, report];
}

export function PersonRow(props: PersonRowProps) {
  const { id, name, own, moderator, audioMuted, videoMuted, hand } = props;
  return (
    <li class="person" data-testid="person" data-id={id} data-moderator={moderator} data-hand={hand}>
      <span class="face" style={{ '--hue': String(hue(id)) }} aria-hidden="true">{initials(props.initialsOf ?? name)}</span>
      <span class="who">
        <bdi class="name">{name}</bdi>
        {moderator ? <span class="role">{t('people.moderator')}</span> : null}
      </span>
      {hand === undefined ? null : (
        <span class="hand-mark" role="img" aria-label={hand > 0 ? t('people.handPlace', { place: hand }) : t('people.handUp')}><Icon name="hand" />{hand > 0 ? <b aria-hidden="true">{hand}</b> : null}</span>
      )}
      <span class="states">
        <span role="img" aria-label={audioMuted ? t('people.micOff') : t('people.micOn')} class={audioMuted ? 'off' : ''}><Icon name={audioMuted ? 'micOff' : 'mic'} /></span>
        <span role="img" aria-label={videoMuted ? t('people.camOff') : t('people.camOn')} class={videoMuted ? 'off' : ''}><Icon name={videoMuted ? 'cameraOff' : 'camera'} /></span>
      </span>
      {own ? null : <MenuButton id="person-menu" class="small" label={t('people.actions', { name })} items={actions(props)}><Icon name="more" /></MenuButton>}
    </li>
  );
}
