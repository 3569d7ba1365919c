/** A component whose code is loaded when it is first shown, or ahead of that by `preload`. */
import { signal } from '@preact/signals';
import type { ComponentChild, ComponentType } from 'preact';
import { useEffect } from 'preact/hooks';

export type Lazy<P> = ((props: P) => ComponentChild) & { preload: () => Promise<void> };

export function lazy<P extends object>(load: () => Promise<ComponentType<P>>): Lazy<P> {
  const loaded = signal<ComponentType<P> | undefined>(undefined);
  let loading: Promise<void> | undefined;
  const preload = () =>
    (loading ??= load().then(
      (component) => void (loaded.value = component),
      () => void (loading = undefined), // The network failed: the next time it is shown it is tried again.
    ));
  const Shown = (props: P) => {
    useEffect(() => void preload(), []);
    const Component = loaded.value;
    return Component ? <Component {...props} /> : null;
  };
  return Object.assign(Shown, { preload });
}
