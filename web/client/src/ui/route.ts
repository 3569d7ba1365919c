/** Which page is shown, and which room the address names. */
import { signal } from '@preact/signals';
import { roomLocalPart } from '../conference/ids';
import { PRODUCT } from './i18n';

export type Page = 'start' | 'callback' | 'prejoin' | 'call' | 'left';

export const page = signal<Page>('start');
export const room = signal('');
/** Counts arrivals: the same room entered again is a new visit. */
export const visit = signal(0);

/** Where a single sign-on comes back to. */
const CALLBACK = '/login/callback';
/** Invitations by room, for a return to it. */
const tokens = new Map<string, string>();

/** Shows the page that the address stands for. */
export function route(): void {
  if (location.pathname === CALLBACK) {
    page.value = 'callback';
    return;
  }
  const name = roomLocalPart(location.pathname.slice(1));
  room.value = name;
  document.title = name ? `${name} · ${PRODUCT}` : PRODUCT;
  visit.value++;
  page.value = name ? 'prejoin' : 'start';
}

/** The invitation in the link; it is in the address no longer than needed to read it. */
export function invitation(): string | undefined {
  const token = new URLSearchParams(location.search).get('invite') ?? undefined;
  if (token !== undefined) {
    tokens.set(room.value, token);
    history.replaceState(null, '', location.pathname);
  }
  return tokens.get(room.value);
}

export function roomPath(name: string): string {
  return name ? `/${encodeURIComponent(name)}` : '/';
}

export function openRoom(name: string, how: 'pushState' | 'replaceState' = 'pushState'): void {
  history[how](null, '', roomPath(name));
  route();
}
