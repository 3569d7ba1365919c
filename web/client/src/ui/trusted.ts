/**
 * The one policy of Trusted Types: the XMPP library parses stanzas into documents that are never
 * shown, and the service worker is registered.  All else that could run a script throws.
 */
interface Policies {
  createPolicy(name: string, rules: Record<string, (value: string, type: string, sink: string) => string>): unknown;
}

const WORKER = '/service_worker.js';
const PARSER = 'DOMParser parseFromString';

export function allowOnlyOurs(): void {
  (globalThis as { trustedTypes?: Policies }).trustedTypes?.createPolicy('default', {
    createHTML: (value, _type, sink) => {
      if (sink === PARSER) return value;
      throw new TypeError(`no markup may be made for ${sink}`);
    },
    createScriptURL: (value) => {
      if (new URL(value, location.origin).href === location.origin + WORKER) return value;
      throw new TypeError('no script may be loaded');
    },
  });
}

/** Keeps the client's files for the next time; pages work without. */
export function keepFiles(): void {
  if (!('serviceWorker' in navigator)) return;
  navigator.serviceWorker.register(WORKER).catch(() => undefined);
}
