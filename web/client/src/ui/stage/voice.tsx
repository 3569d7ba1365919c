/** The sound of the others.  It has no place on the screen. */
import { signal } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';
import { release } from '../controls';
import { settings } from '../settings';
import { participants, soundBlocked } from '../state';

/** How loud each participant is here, 0 to 1, where it is not as usual. */
export const volumes = signal<ReadonlyMap<string, number>>(new Map());

export function setVolume(id: string, volume: number): void {
  volumes.value = new Map([...volumes.value, [id, volume]]);
}

/** An element that can play through another device than the usual one. */
type Routed = HTMLAudioElement & { readonly sinkId?: string; setSinkId?: (device: string) => Promise<void> };

function Player({ stream, id, onPlaying }: { stream: MediaStream; id: string; onPlaying: (stream: MediaStream) => void }) {
  const ref = useRef<HTMLAudioElement>(null);
  const blocked = soundBlocked.value;
  const volume = volumes.value.get(id) ?? 1;
  const { speakerDevice } = settings.value;
  useEffect(() => {
    const audio = ref.current;
    if (!audio) return;
    if (audio.srcObject !== stream) audio.srcObject = stream;
    audio.play().catch((error: { name?: string }) => {
      if (error.name === 'NotAllowedError') soundBlocked.value = true;
    });
  }, [stream, blocked]);
  useEffect(() => {
    if (ref.current) ref.current.volume = volume;
  }, [volume]);
  useEffect(() => {
    const audio = ref.current as Routed | null;
    // The device of last time may be gone: then the usual one plays.
    if (audio?.sinkId !== speakerDevice) audio?.setSinkId?.(speakerDevice).catch(() => undefined);
  }, [speakerDevice]);
  useEffect(() => {
    const audio = ref.current;
    return () => release(audio);
  }, []);
  return <audio ref={ref} autoplay data-testid="audio" data-id={id} onPlaying={() => onPlaying(stream)} />;
}

/** Plays a stream, and after a change the old one too until the new one is heard. */
function Voice({ stream, id }: { stream: MediaStream; id: string }) {
  const [playing, setPlaying] = useState<readonly MediaStream[]>([stream]);
  const all = playing.includes(stream) ? playing : [...playing.slice(-1), stream];
  const onPlaying = (heard: MediaStream) => heard === stream && setPlaying([stream]);
  return <>{all.map((one) => <Player key={one.id} stream={one} id={id} onPlaying={onPlaying} />)}</>;
}

export function Voices() {
  return (
    <>
      {participants.value.flatMap((p) => [
        p.audio ? <Voice key={p.id} stream={p.audio} id={p.id} /> : null,
        ...p.screenAudio.map(({ source, stream }) => stream ? <Voice key={source} stream={stream} id={p.id} /> : null),
      ])}
    </>
  );
}
