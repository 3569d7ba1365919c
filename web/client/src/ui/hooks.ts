/** Small pieces of behaviour that several components share. */
import { useEffect, useRef, useState } from 'preact/hooks';

/** The size of an element, as it changes. */
export function useSize<T extends HTMLElement>(): [{ current: T | null }, { width: number; height: number }] {
  const ref = useRef<T>(null);
  const [size, setSize] = useState({ width: 0, height: 0 });
  useEffect(() => {
    if (!ref.current) return;
    // The first time at once: a page in the background is not observed before it is seen.
    const { width, height } = ref.current.getBoundingClientRect();
    setSize({ width, height });
    const observer = new ResizeObserver(([entry]) => {
      if (entry) setSize({ width: entry.contentRect.width, height: entry.contentRect.height });
    });
    observer.observe(ref.current);
    return () => observer.disconnect();
  }, []);
  return [ref, size];
}

const LEVEL_MS = 80;

/** Loudness of a track, 0 to 1, a few times a second. */
export function useLevel(track: MediaStreamTrack | undefined): number {
  const [level, setLevel] = useState(0);
  useEffect(() => {
    setLevel(0);
    if (!track) return;
    const context = new AudioContext();
    const analyser = new AnalyserNode(context, { fftSize: 1024 });
    const source = context.createMediaStreamSource(new MediaStream([track]));
    source.connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    const timer = setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      const power = samples.reduce((sum, s) => sum + s * s, 0) / samples.length;
      const decibels = 10 * Math.log10(power + 1e-9);
      setLevel(Math.max(0, Math.min(1, (decibels + 60) / 50)));
    }, LEVEL_MS);
    return () => {
      clearInterval(timer);
      source.disconnect();
      void context.close();
    };
  }, [track]);
  return level;
}

/** Devices of a kind; asked again when one is plugged in, and when `key` changes. */
export function useDevices(kind: MediaDeviceKind, key: unknown): readonly MediaDeviceInfo[] {
  const [devices, setDevices] = useState<readonly MediaDeviceInfo[]>([]);
  useEffect(() => {
    if (!navigator.mediaDevices) return;
    let current = true;
    const load = async () => {
      const list = await navigator.mediaDevices.enumerateDevices();
      if (current) setDevices(list.filter((d) => d.kind === kind && d.deviceId !== ''));
    };
    void load();
    navigator.mediaDevices.addEventListener('devicechange', load);
    return () => {
      current = false;
      navigator.mediaDevices.removeEventListener('devicechange', load);
    };
  }, [kind, key]);
  return devices;
}
