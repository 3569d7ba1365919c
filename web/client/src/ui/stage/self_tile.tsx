/** Our own picture: a tile among the others, or in a corner that one may choose. */
import type { JSX } from 'preact';
import { useMemo, useRef, useState } from 'preact/hooks';
import { t } from '../i18n';
import { Icon } from '../icons';
import { handUp } from '../meeting';
import { change, settings } from '../settings';
import { camera, conference, dominantSpeaker, microphone } from '../state';
import { Avatar } from './avatar';
import { CORNERS, nearestCorner, nextCorner, type Corner } from './self_corner';
import { Frame } from './frame';
import { Picture } from './picture';
import { SELF } from './items';
import { cornerSize, type Placement } from './place';

interface SelfTileProps extends Placement {
  /** In a corner of the place that is given. */
  readonly floating: boolean;
}

const INSET = 12;

/** The place of the picture in a corner of another place. */
export function cornerOf(within: Placement, corner: Corner): Placement {
  const { width, height } = cornerSize(within);
  const { top, start } = CORNERS[corner];
  return {
    item: SELF, width, height, large: false, seen: true,
    x: within.x + (start ? INSET : Math.max(0, within.width - width - INSET)),
    y: within.y + (top ? INSET : Math.max(0, within.height - height - INSET)),
  };
}

export function SelfTile(props: SelfTileProps) {
  const { floating } = props;
  const { track } = camera.value;
  const stream = useMemo(() => (track ? new MediaStream([track]) : undefined), [track]);
  const grip = useRef<{ x: number; y: number } | undefined>(undefined);
  const [moved, setMoved] = useState<{ x: number; y: number } | undefined>(undefined);
  const id = conference?.endpointId ?? 'local';
  const { muted } = microphone.value;
  const speaking = dominantSpeaker.value === id && !muted;
  const name = settings.value.name ? t('call.nameYou', { name: settings.value.name }) : t('call.you');
  const mirrored = track?.getSettings().facingMode !== 'environment';

  const begin = (event: JSX.TargetedPointerEvent<HTMLLIElement>) => {
    if (!floating || (event.target as HTMLElement).closest('button')) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    grip.current = { x: event.clientX, y: event.clientY };
    const tile = event.currentTarget;
    const move = (e: PointerEvent) => grip.current && setMoved({ x: e.clientX - grip.current.x, y: e.clientY - grip.current.y });
    const end = () => {
      tile.removeEventListener('pointermove', move);
      const stage = tile.parentElement!.getBoundingClientRect();
      const rect = tile.getBoundingClientRect();
      grip.current = undefined;
      setMoved(undefined);
      const left = (rect.left + rect.right) / 2 < (stage.left + stage.right) / 2;
      const rtl = getComputedStyle(tile).direction === 'rtl';
      change({ selfCorner: nearestCorner((rect.top + rect.bottom) / 2 < (stage.top + stage.bottom) / 2, left !== rtl) });
    };
    tile.addEventListener('pointermove', move);
    tile.addEventListener('lostpointercapture', end, { once: true });
  };

  const tools = floating ? (
    <>
      <button type="button" class="tile-tool" data-testid="move-self" aria-label={t('stage.moveSelf')} title={t('stage.moveSelf')}
        onClick={() => change({ selfCorner: nextCorner(settings.value.selfCorner) })}><Icon name="move" /></button>
      <button type="button" class="tile-tool" data-testid="hide-self" aria-label={t('stage.hideSelf')} title={t('stage.hideSelf')}
        onClick={() => change({ selfView: false })}><Icon name="eyeOff" /></button>
    </>
  ) : undefined;
  return (
    <Frame place={floating ? cornerOf(props, known(settings.value.selfCorner)) : props} name={name}
      label={[name, muted && t('call.microphoneOff'), handUp.value && t('people.handUp')].filter(Boolean).join(', ')} audioMuted={muted} speaking={speaking} hand={handUp.value ? {} : undefined}
      classes={floating ? `cornered${moved ? ' moving' : ''}` : ''} style={moved ? { transform: `translate(${moved.x}px, ${moved.y}px)` } : { transform: '' }}
      pinnable={!floating} tools={tools} onPointerDown={begin}
      data={{ 'data-id': id, 'data-local': 'true', 'data-speaking': speaking, 'data-audio-muted': muted, 'data-video': stream ? 'on' : 'off' }}>
      {stream ? <Picture stream={stream} mirrored={mirrored} whole={props.large} /> : <Avatar id={id} name={settings.value.name || t('call.you')} />}
    </Frame>
  );
}

function known(corner: string): Corner {
  return corner in CORNERS ? (corner as Corner) : 'bottom-end';
}
