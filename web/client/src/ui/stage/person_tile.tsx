/** One other person: the camera, or the name's initials. */
import { useEffect } from 'preact/hooks';
import { sourceName } from '../../conference/ids';
import { t } from '../i18n';
import { Icon } from '../icons';
import { conference, dominantSpeaker } from '../state';
import { Avatar } from './avatar';
import { Frame } from './frame';
import { inspect } from './inspected';
import { Picture } from './picture';
import type { Placement } from './place';
import { devicePixels, showSource } from './view';

/** Values and streams only, so that a tile is drawn anew when something of it changed. */
export interface PersonTileProps extends Placement {
  readonly id: string;
  readonly name: string;
  readonly stream?: MediaStream;
  readonly audioMuted: boolean;
  readonly status?: string;
  /** The place of the raised hand among all hands, from 1; 0 while it is down. */
  readonly hand: number;
  readonly whole: boolean;
  /** The bridge has no bandwidth for it now. */
  readonly paused: boolean;
}

function shown(): void {
  conference?.firstFrameShown();
}

/** Asks for the source as long as the tile is seen, as large as it is. */
export function useSource(source: string, seen: boolean, height: number): void {
  useEffect(() => {
    showSource(source, seen ? devicePixels(height) : 0);
    return () => showSource(source, 0);
  }, [source, seen, height]);
}

export function PersonTile(props: PersonTileProps) {
  const { id, name, stream, audioMuted, hand, seen, whole, paused } = props;
  const speaking = dominantSpeaker.value === id && !audioMuted;
  useSource(sourceName(id, 'v0'), seen, props.height);
  const label = [name, audioMuted && t('call.microphoneOff'), speaking && t('call.speaking'), hand > 0 && t('people.handPlace', { place: hand })].filter(Boolean).join(', ');
  return (
    <Frame place={props} name={name} label={label} audioMuted={audioMuted} speaking={speaking} status={props.status}
      hand={hand > 0 ? { place: hand } : undefined}
      data={{ 'data-id': id, 'data-speaking': speaking, 'data-audio-muted': audioMuted, 'data-video': stream ? 'on' : 'off' }}
      tools={<button type="button" class="tile-tool" data-testid="inspect" aria-label={t('stage.more', { name })} title={t('stage.more', { name })} onClick={() => inspect(id)}><Icon name="more" /></button>}>
      {stream && seen ? <Picture stream={stream} whole={whole || props.large} onFrame={shown} /> : <Avatar id={id} name={name} />}
      {stream && seen && paused ? <span class="paused"><Avatar id={id} name={name} /><span>{t('call.paused')}</span></span> : null}
    </Frame>
  );
}
