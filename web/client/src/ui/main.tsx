/** The page's beginning. */
import { render } from 'preact';
import { useEffect } from 'preact/hooks';
import './style.css';
import { CallPage } from './call';
import { expose } from './debug';
import { LeftPage } from './left';
import { PrejoinPage } from './prejoin';
import { StartPage } from './start';
import { announcement, conference, leave, page, route } from './state';

const PAGES = { start: StartPage, prejoin: PrejoinPage, call: CallPage, left: LeftPage } as const;

function App() {
  const Page = PAGES[page.value];
  // The button that led here is gone: go on where the new page begins, but open no keyboard on a phone.
  useEffect(() => {
    const field = matchMedia('(pointer: fine)').matches && document.querySelector<HTMLElement>('[autofocus]');
    (field || document.querySelector('main'))?.focus();
  }, [page.value]);
  return (
    <>
      <Page />
      <div class="visually-hidden" role="status" aria-live="polite" data-testid="live">{announcement.value}</div>
    </>
  );
}

expose();
addEventListener('popstate', route);
// Says goodbye when the tab closes; a page kept for "back" starts anew.
addEventListener('pagehide', leave);
addEventListener('pageshow', (event) => event.persisted && route());
// After a change of network or sleep nothing may work that seemed to.
addEventListener('online', () => conference?.retryNow());
document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && conference?.retryNow());
route();
render(<App />, document.getElementById('app')!);
