/** Light or dark: as the person chose, else as the system is. The stylesheet reads `data-theme`. */
import { effect, signal } from '@preact/signals';
import { settings } from './settings';

export const theme = signal<'light' | 'dark'>('light');

export function followTheme(): void {
  const system = matchMedia('(prefers-color-scheme: dark)');
  const systemIsDark = signal(system.matches);
  system.addEventListener('change', () => (systemIsDark.value = system.matches));
  effect(() => {
    const chosen = settings.value.theme;
    theme.value = chosen === 'light' || chosen === 'dark' ? chosen : systemIsDark.value ? 'dark' : 'light';
    document.documentElement.dataset.theme = theme.value;
  });
}
