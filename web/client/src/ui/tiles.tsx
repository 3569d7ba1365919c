/** Tiles: who is here, in a grid that fills the window. */
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { useSize } from './hooks';
import { bestGrid } from './grid';
import { t } from './i18n';
import { Icon } from './icons';
import { release, Video } from './controls';
import { settings } from './settings';
import { camera, conference, dominantSpeaker, media, microphone, nameOf, participants, soundBlocked } from './state';

export interface TileProps {
  readonly id: string;
  readonly name: string;
  readonly stream?: MediaStream;
  readonly audioMuted: boolean;
  readonly speaking: boolean;
  readonly status?: string;
  readonly local?: boolean;
  /** Nothing may be cut off: a screen is shown. */
  readonly whole?: boolean;
  readonly onFrame?: () => void;
}

/** The same colour for the same person as long as the id stays. */
export function hue(id: string): number {
  return [...id].reduce((sum, c) => (sum * 31 + c.charCodeAt(0)) % 360, 7);
}

export function initials(name: string): string {
  const words = name.trim().split(/\s+/).filter(Boolean);
  const letters = [words[0], words.length > 1 ? words[words.length - 1] : undefined].map((w) => (w ? [...w][0] : ''));
  return letters.join('').toUpperCase();
}

export function Tile({ id, name, stream, audioMuted, speaking, status, local, whole, onFrame }: TileProps) {
  return (
    <li class={`tile${speaking ? ' speaking' : ''}${stream ? ' has-video' : ''}`} data-testid="tile" data-id={id} data-local={local ? 'true' : undefined}
      data-speaking={speaking} data-audio-muted={audioMuted} data-video={stream ? 'on' : 'off'} aria-label={[name, audioMuted && t('call.microphoneOff'), speaking && t('call.speaking')].filter(Boolean).join(', ')}>
      {stream ? <Video stream={stream} mirrored={local} whole={whole} id="tile-video" onFrame={onFrame} /> : (
        <span class="avatar" style={{ '--hue': String(hue(id)) }} aria-hidden="true">{initials(name)}</span>
      )}
      <span class="label">
        {audioMuted ? <Icon name="micOff" /> : null}
        <bdi class="name" data-testid="tile-name">{name}</bdi>
        {status ? <span class="status" data-testid="tile-status">{status}</span> : null}
      </span>
    </li>
  );
}

/** Plays one participant's sound; it has no place on the screen. */
function Sound({ stream, id }: { stream: MediaStream; id: string }) {
  const ref = useRef<HTMLAudioElement>(null);
  const blocked = soundBlocked.value;
  useEffect(() => {
    const audio = ref.current;
    if (!audio) return;
    if (audio.srcObject !== stream) audio.srcObject = stream;
    audio.play().catch((error: { name?: string }) => {
      if (error.name === 'NotAllowedError') soundBlocked.value = true;
    });
  }, [stream, blocked]);
  useEffect(() => {
    const audio = ref.current;
    return () => release(audio);
  }, []);
  return <audio ref={ref} autoplay data-testid="audio" data-id={id} />;
}

const GAP = 8;

export function Tiles() {
  const [ref, { width, height }] = useSize<HTMLUListElement>();
  const others = participants.value;
  const count = others.length + 1;
  // With one other person our own picture goes into a corner of theirs.
  const grid = bestGrid(count === 2 ? 1 : count, width, height, GAP);
  const { track } = camera.value;
  const own = useMemo(() => (track ? new MediaStream([track]) : undefined), [track]);
  const shown = JSON.stringify(others.map((p) => p.id));
  useEffect(() => {
    const pixels = grid.height * Math.min(devicePixelRatio, 2);
    conference?.setTileSizes(new Map((JSON.parse(shown) as string[]).map((id) => [id, pixels])));
  }, [shown, grid.height]);
  const style = { '--columns': String(grid.columns), '--tile-width': `${grid.width}px`, '--tile-height': `${grid.height}px` };
  return (
    <>
      <ul class="tiles" ref={ref} style={style} data-testid="tiles" data-count={count} aria-label={t('call.grid')}>
        {others.map((p) => (
          <Tile key={p.id} id={p.id} name={nameOf(p)} audioMuted={p.audioMuted} speaking={dominantSpeaker.value === p.id && !p.audioMuted}
            whole={p.videoType === 'desktop'} stream={p.videoMuted ? undefined : p.video} status={media.value === 'none' ? t('call.connecting') : p.active ? undefined : t('call.weak')} onFrame={() => conference?.firstFrameShown()} />
        ))}
        <Tile key="local" id={conference?.endpointId ?? 'local'} local name={settings.value.name ? t('call.nameYou', { name: settings.value.name }) : t('call.you')}
          stream={own} audioMuted={microphone.value.muted} speaking={dominantSpeaker.value !== undefined && dominantSpeaker.value === conference?.endpointId && !microphone.value.muted} />
      </ul>
      {others.map((p) => (p.audio ? <Sound key={p.id} stream={p.audio} id={p.id} /> : null))}
    </>
  );
}
