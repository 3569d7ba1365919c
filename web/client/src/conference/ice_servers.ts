/** STUN and TURN servers that the server offers (XEP-0215); only peers need them. */
import { all, first, xml } from './xml';
import type { XmppConnection } from './xmpp';

const EXTDISCO = 'urn:xmpp:extdisco:2';
const MAX_SERVERS = 8;
const ANSWER_MS = 3_000;

/** Empty where the server offers none, or does not answer soon: then peers try without. */
export async function requestIceServers(xmpp: XmppConnection): Promise<RTCIceServer[]> {
  try {
    const iq = xml('iq', { type: 'get', to: xmpp.domain }, xml('services', { xmlns: EXTDISCO }));
    const services = first(await xmpp.request(iq, ANSWER_MS), 'services', EXTDISCO);
    return services ? all(services, 'service').slice(0, MAX_SERVERS).flatMap((service) => iceServer(service.attrs)) : [];
  } catch {
    return [];
  }
}

/** One service as a browser takes it; nothing if it would not. */
export function iceServer(attrs: Readonly<Record<string, string>>): RTCIceServer[] {
  const { type = '', host = '', port, transport, username, password } = attrs;
  if (!/^(stun|turn)s?$/.test(type) || !/^[0-9A-Za-z.:[\]-]{1,255}$/.test(host)) return [];
  const name = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
  const address = `${type}:${name}${port && /^\d{1,5}$/.test(port) ? `:${port}` : ''}`;
  if (type.startsWith('stun')) return [{ urls: address }];
  if (!username || !password) return [];
  return [{ urls: `${address}${transport === 'tcp' || transport === 'udp' ? `?transport=${transport}` : ''}`, username, credential: password }];
}
