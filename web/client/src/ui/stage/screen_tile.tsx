/** What somebody shares, and what one shares oneself. */
import { useMemo } from 'preact/hooks';
import { t } from '../i18n';
import { Icon } from '../icons';
import { conference, toggleShare } from '../state';
import { Frame } from './frame';
import { Picture } from './picture';
import { useSource } from './person_tile';
import type { Placement } from './place';
import { audioOnly } from './view';

export interface ScreenTileProps extends Placement {
  readonly source: string;
  readonly owner: string;
  readonly name: string;
  readonly stream?: MediaStream;
}

export function ScreenTile(props: ScreenTileProps) {
  const { source, owner, stream, seen } = props;
  const name = t('share.of', { name: props.name });
  useSource(source, seen, props.height);
  return (
    <Frame place={props} name={name} label={name} classes="screen" data={{ 'data-screen': owner, 'data-source': source, 'data-video': stream ? 'on' : 'off' }}>
      {stream && seen ? <Picture stream={stream} whole /> : <span class="waiting"><Icon name="screen" />{audioOnly.value ? t('link.soundOnly') : t('share.coming')}</span>}
    </Frame>
  );
}

/** Our own share: a picture of it within itself would have no end. */
export function OwnScreenTile(props: Placement) {
  const track = conference?.screen.video;
  const stream = useMemo(() => (track && track.getSettings().displaySurface !== 'monitor' ? new MediaStream([track]) : undefined), [track]);
  return (
    <Frame place={props} name={t('share.own')} label={t('share.own')} classes="screen" data={{ 'data-screen': 'own' }}>
      {stream ? <Picture stream={stream} whole /> : <span class="waiting"><Icon name="screen" />{t('share.own')}
        <button type="button" class="link" onClick={() => void toggleShare()}>{t('share.stop')}</button></span>}
    </Frame>
  );
}
