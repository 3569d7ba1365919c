/** What to call the way that sound and pictures go. */
import { computed } from '@preact/signals';
import { t } from '../i18n';
import { path, statistics } from '../state';

export type DirectRoute = 'straight' | 'relayed' | 'none';

/** How two people are connected with each other; `none` if everything goes through the bridge. */
export const directRoute = computed<DirectRoute>(() => {
  if (path.value !== 'direct') return 'none';
  const all = statistics.value;
  return all?.path === 'direct' && all.relayed ? 'relayed' : 'straight';
});

export function routeText(route: DirectRoute): string {
  if (route === 'none') return t('path.bridge');
  return route === 'relayed' ? t('path.relayed') : t('path.direct');
}

export function explanation(route: DirectRoute): string {
  if (route === 'none') return t('path.bridgeText');
  return route === 'relayed' ? t('path.relayedText') : t('path.directText');
}
