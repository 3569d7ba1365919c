/** The page's beginning. */
import { effect } from '@preact/signals';
import { render } from 'preact';
import { useEffect } from 'preact/hooks';
import './styles/index.css';
import { announcement } from './announce';
import { expose } from './debug';
import { chooseLanguage } from './i18n';
import { lazy } from './lazy';
import { page, route } from './route';
import { settings } from './settings';
import { StartPage } from './start';
import { leave } from './state';
import { followTheme } from './theme';
import { allowOnlyOurs, keepFiles } from './trusted';
import { followWakeUps } from './wake_up';

const RoomPages = lazy(() => import('./room_pages').then((module) => module.RoomPages));
const CallbackPage = lazy(() => import('./callback').then((module) => module.CallbackPage));

function App() {
  // The button that led here is gone: go on where the new page begins, but open no keyboard on a phone.
  useEffect(() => {
    const field = matchMedia('(pointer: fine)').matches && document.querySelector<HTMLElement>('[autofocus]');
    (field || document.querySelector('main'))?.focus();
  }, [page.value]);
  return (
    <>
      {page.value === 'start' ? <StartPage /> : page.value === 'callback' ? <CallbackPage /> : <RoomPages />}
      <div class="visually-hidden" role="status" aria-live="polite" data-testid="live">{announcement.value}</div>
    </>
  );
}

allowOnlyOurs();
expose();
followTheme();
addEventListener('popstate', route);
// Says goodbye when the tab closes; a page kept for "back" starts anew.
addEventListener('pagehide', leave);
addEventListener('pageshow', (event) => event.persisted && route());
// After a change of network or sleep nothing may work that seemed to.
followWakeUps();
route();
if (page.value !== 'start') {
  // All at once instead of one after the other.
  void RoomPages.preload();
  void import('../conference').catch(() => undefined); // Whoever needs it tells of the failure.
}
const languageKnown = chooseLanguage(settings.value.language);
void languageKnown.then(() => {
  render(<App />, document.getElementById('app')!);
  // When there is nothing better to do.
  addEventListener('load', keepFiles);
  if (document.readyState === 'complete') keepFiles();
  let shown = settings.value.language;
  effect(() => {
    if (settings.value.language === shown) return;
    shown = settings.value.language;
    void chooseLanguage(shown);
  });
});
