/** Tells who speaks while muted, and whose microphone is dead or loud with noise.  Nothing leaves this device. */
import { useEffect } from 'preact/hooks';
import { MicrophoneWatch } from '../conference/microphone_watch';
import { toast } from './announce';
import { t } from './i18n';
import { held } from './push_to_talk';
import { microphone } from './state';

const LOOK_MS = 125;

export function useMicrophoneHints(): void {
  const { track } = microphone.value;
  useEffect(() => {
    if (!track) return;
    const watch = new MicrophoneWatch();
    // The copy is open while the microphone is muted; it is only measured.
    const copy = track.clone();
    copy.enabled = true;
    const context = new AudioContext();
    const analyser = new AnalyserNode(context, { fftSize: 2048 });
    const source = context.createMediaStreamSource(new MediaStream([copy]));
    source.connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    const timer = setInterval(() => {
      // Where there is no sound card the graph stands still and knows nothing.
      if (context.state !== 'running' || copy.muted || held.value !== 'none') return;
      analyser.getFloatTimeDomainData(samples);
      let power = 0;
      for (const sample of samples) power += sample * sample;
      const hint = watch.look(10 * Math.log10(power / samples.length + 1e-12), microphone.value.muted, performance.now());
      if (hint) toast(t(`microphone.${hint}`));
    }, LOOK_MS);
    return () => {
      clearInterval(timer);
      source.disconnect();
      copy.stop();
      void context.close();
    };
  }, [track]);
}
