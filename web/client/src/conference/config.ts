/** What the server tells the client in /config.js, read with defaults and checks. */

export interface ConferenceConfig {
  readonly domain: string;
  readonly loginDomain: string;
  readonly rooms: string;
  readonly focus: string;
  /** Host of the rooms' lobbies; undefined where there are none. */
  readonly lobbies?: string;
  /** Absolute; undefined where the server offers none. */
  readonly websocket?: string;
  readonly bosh?: string;
}

interface RawConfig {
  hosts?: { domain?: unknown; anonymousdomain?: unknown; muc?: unknown; focus?: unknown; lobbies?: unknown };
  websocket?: unknown;
  bosh?: unknown;
}

function str(value: unknown): string | undefined {
  return typeof value === 'string' && value ? value : undefined;
}

function absolute(value: string | undefined, origin: string, socket: boolean): string | undefined {
  if (!value) return undefined;
  const url = new URL(value, origin);
  if (socket) url.protocol = url.protocol.replace(/^http/, 'ws');
  return url.href;
}

/** Reads `raw` as config.js assigned it; `origin` is the page's, such as https://meet.example. */
export function readConfig(raw: unknown, origin: string): ConferenceConfig {
  const config = (typeof raw === 'object' && raw !== null ? raw : {}) as RawConfig;
  const hosts = config.hosts ?? {};
  const domain = str(hosts.domain) ?? new URL(origin).hostname;
  return {
    domain,
    loginDomain: str(hosts.anonymousdomain) ?? domain,
    rooms: str(hosts.muc) ?? `muc.${domain}`,
    focus: str(hosts.focus) ?? `focus.${domain}`,
    lobbies: str(hosts.lobbies),
    websocket: absolute(str(config.websocket) ?? '/xmpp-websocket', origin, true),
    bosh: absolute(str(config.bosh) ?? '/http-bind', origin, false),
  };
}
