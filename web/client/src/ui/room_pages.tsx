/** The pages of a room; the call's own code comes while one looks at oneself. */
import { useLayoutEffect } from 'preact/hooks';
import { isGoing } from './go_to';
import { lazy } from './lazy';
import './meeting';
import { LeftPage } from './left';
import { PrejoinPage } from './prejoin';
import { page, visit } from './route';
import { settings } from './settings';
import { abandon, enterPrejoin, join, waitingFor } from './state';

const WaitingPage = lazy(() => import('./waiting').then((module) => module.WaitingPage));
const CallPage = lazy(() => import('./call').then((module) => module.CallPage));

export function RoomPages() {
  // Before anything of the page can be clicked: who joined sooner would be set back to its beginning.
  useLayoutEffect(() => {
    enterPrejoin();
    if (isGoing()) join(settings.value.name);
    void CallPage.preload();
    return abandon;
  }, [visit.value]);
  switch (page.value) {
    case 'prejoin':
      return <PrejoinPage />;
    case 'call':
      return waitingFor.value ? <WaitingPage /> : <CallPage />;
    default:
      return <LeftPage />;
  }
}
