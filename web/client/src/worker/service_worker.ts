/**
 * Keeps the client's own files, so that it starts quickly and without a network.  Nothing that
 * depends on a room or a person is ever stored: every room is answered with the same page.
 */
export {};
declare const self: ServiceWorkerGlobalScope;
/** The paths of all files, and a name that changes with them; from the build. */
declare const FILES: readonly string[];
declare const VERSION: string;

const CACHE = `xmppconf-${VERSION}`;
/** What every page address is answered with while there is no network. */
const SHELL = '/';

self.addEventListener('install', (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll([SHELL, ...FILES])).then(() => self.skipWaiting()));
});

self.addEventListener('activate', (event) => {
  event.waitUntil((async () => {
    for (const name of await caches.keys()) {
      if (name !== CACHE) await caches.delete(name);
    }
    await self.clients.claim();
  })());
});

self.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== self.location.origin) return;
  if (request.mode === 'navigate') event.respondWith(fetch(request).catch(() => kept(SHELL)));
  else if (FILES.includes(url.pathname)) event.respondWith(kept(url.pathname).catch(() => fetch(request)));
});

async function kept(path: string): Promise<Response> {
  const response = await caches.match(path);
  if (!response) throw new TypeError('not kept');
  return response;
}
