/** Offers to do without videos while the connection is weak; says so when they are off. */
import { effect, signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { LinkWatch } from '../conference/link_watch';
import { t } from './i18n';
import { audioOnly } from './stage/view';
import { participants, statistics } from './state';

/** After "not now" it is not asked again for so long. */
const PATIENCE_MS = 180_000;

const offered = signal(false);
let dismissedAt = -Infinity;

export function useLinkWatch(): void {
  useEffect(() => {
    const watch = new LinkWatch();
    return effect(() => {
      const { value } = statistics;
      if (!value) return;
      offered.value = watch.look(value) && performance.now() - dismissedAt > PATIENCE_MS;
    });
  }, []);
}

export function LinkOffer() {
  if (audioOnly.value) {
    return (
      <div class="banner" role="status" data-testid="audio-only-banner">
        {t('link.soundOnly')}
        <button type="button" class="link" onClick={() => (audioOnly.value = false)}>{t('link.videos')}</button>
      </div>
    );
  }
  if (!offered.value || !participants.value.some((p) => !p.videoMuted)) return null;
  const dismiss = () => {
    dismissedAt = performance.now();
    offered.value = false;
  };
  return (
    <div class="banner trouble" role="status" data-testid="link-offer">
      {t('link.weak')}
      <button type="button" class="link" data-testid="go-audio-only" onClick={() => (audioOnly.value = true)}>{t('link.help')}</button>
      <button type="button" class="link" onClick={dismiss}>{t('link.dismiss')}</button>
    </div>
  );
}
