/** Always in sight: whether two people are connected directly, or all of them through the bridge. */
import { t } from '../i18n';
import { Icon } from '../icons';
import { directRoute, routeText } from './route_text';
import { comparing } from './inspected';
import { media, participants, path } from '../state';

export function PathChip() {
  if (participants.value.length === 0 || media.value === 'none') return null;
  const direct = path.value === 'direct';
  const text = routeText(directRoute.value);
  return (
    <button type="button" class={`path-chip${direct ? ' direct' : ''}`} data-testid="path" data-path={path.value}
      aria-label={t('path.label', { path: text })} title={t('path.explain')} onClick={() => (comparing.value = true)}>
      <Icon name={direct ? 'lock' : 'bridge'} />{text}
    </button>
  );
}
