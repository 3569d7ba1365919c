/** A moving picture that goes on with the old stream until the new one has something to show. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { release } from '../controls';

interface PictureProps {
  readonly stream: MediaStream;
  readonly mirrored?: boolean;
  /** Nothing may be cut off. */
  readonly whole?: boolean;
  readonly onFrame?: () => void;
}

function Layer({ stream, mirrored, whole, onFrame, onReady }: PictureProps & { onReady: (stream: MediaStream) => void }) {
  const ref = useRef<HTMLVideoElement>(null);
  const [upright, setUpright] = useState(false);
  useEffect(() => {
    const video = ref.current;
    if (!video) return;
    const turned = () => setUpright(video.videoHeight > video.videoWidth);
    video.addEventListener('resize', turned);
    video.srcObject = stream;
    video.play().catch(() => undefined); // A newer stream replaced this one.
    return () => {
      video.removeEventListener('resize', turned);
      release(video);
    };
  }, []);
  const classes = [mirrored && 'mirrored', whole && 'whole', upright && 'upright'].filter(Boolean).join(' ');
  const ready = () => {
    onReady(stream);
    onFrame?.();
  };
  return <video ref={ref} class={classes} data-testid="tile-video" autoplay playsInline muted aria-hidden="true" onLoadedData={ready} />;
}

export function Picture(props: PictureProps) {
  const { stream } = props;
  const [ready, setReady] = useState(stream);
  const shown = ready === stream ? [stream] : [ready, stream];
  return <>{shown.map((one) => <Layer key={one.id} {...props} stream={one} onReady={(seen) => seen === stream && setReady(stream)} />)}</>;
}
