/** Buttons, device menus, pictures: parts that pages are made of. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Kind } from '../conference';
import { useDevices, useLevel } from './hooks';
import { t } from './i18n';
import { Icon, type IconName } from './icons';
import { settings } from './settings';
import { camera, chooseDevice, microphone, toggle } from './state';

export interface ToolButtonProps {
  readonly id: string;
  readonly icon: IconName;
  readonly label: string;
  readonly keys?: string;
  readonly pressed?: boolean;
  readonly off?: boolean;
  readonly warn?: boolean;
  readonly kind?: 'danger' | 'plain';
  /** A number that wants to be seen, with what it says aloud. */
  readonly badge?: number;
  readonly badgeText?: string;
  /** A number that is merely told. */
  readonly count?: number;
  readonly onClick: () => void;
}

export function ToolButton(props: ToolButtonProps) {
  const { id, icon, label, keys, pressed, off, warn, kind, badge, badgeText, count, onClick } = props;
  const classes = ['tool', off && 'off', warn && 'warn', pressed && 'pressed', kind].filter(Boolean).join(' ');
  return (
    <button type="button" class={classes} data-testid={id} aria-label={badge ? `${label}, ${badgeText}` : label}
      aria-pressed={pressed} aria-keyshortcuts={keys} onClick={onClick}>
      <Icon name={icon} />
      {badge ? <span class="badge" data-testid={`${id}-badge`}>{badge > 99 ? '99+' : badge}</span> : null}
      {count !== undefined && !badge ? <span class="tally" data-count={count} /> : null}
      <span class="tip" aria-hidden="true">{label}{keys ? <kbd>{keys}</kbd> : null}</span>
    </button>
  );
}

export function MuteButton({ kind }: { kind: Kind }) {
  const audio = kind === 'audio';
  const view = audio ? microphone.value : camera.value;
  const on = view.enabled && !view.problem;
  const label = audio ? (on ? t('toolbar.mute') : t('toolbar.unmute')) : on ? t('toolbar.cameraOff') : t('toolbar.cameraOn');
  return (
    <ToolButton id={audio ? 'toggle-audio' : 'toggle-video'} icon={audio ? (on ? 'mic' : 'micOff') : on ? 'camera' : 'cameraOff'}
      label={label} keys={audio ? 'M' : 'V'} off={!on} warn={view.problem !== undefined} onClick={() => toggle(kind)} />
  );
}

export function DeviceSelect({ kind }: { kind: Kind }) {
  const audio = kind === 'audio';
  const view = audio ? microphone.value : camera.value;
  const devices = useDevices(audio ? 'audioinput' : 'videoinput', view.track);
  const chosen = view.track?.getSettings().deviceId ?? (audio ? settings.value.microphoneDevice : settings.value.cameraDevice);
  return (
    <label class="field">
      <span>{audio ? t('prejoin.microphone') : t('prejoin.camera')}</span>
      <select data-testid={audio ? 'select-audio' : 'select-video'} value={chosen} disabled={devices.length === 0}
        onChange={(event) => chooseDevice(kind, event.currentTarget.value)}>
        {devices.length === 0 ? <option value="">{t('prejoin.defaultDevice')}</option> : null}
        {devices.map((d, i) => (
          <option key={d.deviceId} value={d.deviceId}>{d.label || `${audio ? t('prejoin.microphone') : t('prejoin.camera')} ${i + 1}`}</option>
        ))}
      </select>
    </label>
  );
}

const BARS = 12;

export function LevelMeter() {
  const level = useLevel(microphone.value.muted ? undefined : microphone.value.track);
  return (
    <div class="meter" role="meter" aria-label={t('prejoin.level')} aria-valuemin={0} aria-valuemax={100}
      aria-valuenow={Math.round(level * 100)} data-testid="mic-level">
      {Array.from({ length: BARS }, (_, i) => <i key={i} class={level * BARS > i + 0.5 ? 'lit' : ''} />)}
    </div>
  );
}

export function DeviceProblems() {
  const views = [['audio', microphone.value], ['video', camera.value]] as const;
  return (
    <>
      {views.map(([kind, view]) => view.problem && view.enabled
        ? <p key={kind} class="problem" role="status" data-testid={`problem-${kind}`}>{t(`problem.${kind}.${view.problem}`)}</p>
        : null)}
    </>
  );
}

/** Lets go of what an element played, which it would else keep until it is collected. */
export function release(element: HTMLMediaElement | null): void {
  if (element) element.srcObject = null;
}

/** A video element for a stream or one of our own tracks. */
export function Video(props: { stream?: MediaStream; mirrored?: boolean; whole?: boolean; id: string; onFrame?: () => void }) {
  const ref = useRef<HTMLVideoElement>(null);
  const [upright, setUpright] = useState(false);
  useEffect(() => {
    const video = ref.current;
    if (!video) return;
    video.srcObject = props.stream ?? null;
    if (props.stream) video.play().catch(() => undefined); // A newer stream replaced this one.
  }, [props.stream]);
  useEffect(() => {
    const video = ref.current;
    if (!video) return;
    const turned = () => setUpright(video.videoHeight > video.videoWidth);
    video.addEventListener('resize', turned);
    return () => {
      video.removeEventListener('resize', turned);
      release(video);
    };
  }, []);
  const classes = [props.mirrored && 'mirrored', props.whole && 'whole', upright && 'upright'].filter(Boolean).join(' ');
  return (
    <video ref={ref} class={classes} data-testid={props.id} autoplay playsInline muted disablePictureInPicture
      aria-hidden="true" onLoadedData={props.onFrame} />
  );
}
