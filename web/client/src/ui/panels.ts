/**
 * What can stand in the place beside the stage, one at a time: a line here and a name among `Panel`.
 * Each is loaded when it is first opened; it is an `<aside>` and fills the place.
 */
import { lazy, type Lazy } from './lazy';
import type { Panel } from './state';

export const PANELS: Readonly<Record<Exclude<Panel, 'none'>, Lazy<object>>> = {
  chat: lazy(() => import('./chat').then((module) => module.ChatPanel)),
  people: lazy(() => import('./people_panel').then((module) => module.PeoplePanel)),
  breakout: lazy(() => import('./breakout_panel').then((module) => module.BreakoutPanel)),
  polls: lazy(() => import('./polls_panel').then((module) => module.PollsPanel)),
};
