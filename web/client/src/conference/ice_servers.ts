/** STUN and TURN servers that the service offers (XEP-0215). */
import { all, first, xml } from './xml';
import type { XmppConnection } from './xmpp';

const EXTDISCO = 'urn:xmpp:extdisco:2';
const MAX_SERVERS = 8;
const ANSWER_MS = 3_000;
/** The name of the service's own relay, which leads to its bridges and nowhere else. */
const OWN_RELAY = 'bridges';

/** Empty where the service offers none, or does not answer soon: then one tries without. */
export async function requestIceServers(xmpp: XmppConnection, towards: 'bridge' | 'peer'): Promise<RTCIceServer[]> {
  try {
    const iq = xml('iq', { type: 'get', to: xmpp.services }, xml('services', { xmlns: EXTDISCO }));
    const services = first(await xmpp.request(iq, ANSWER_MS), 'services', EXTDISCO);
    const found = services ? all(services, 'service').slice(0, MAX_SERVERS).map((service) => service.attrs) : [];
    return found.filter((attrs) => helps(attrs, towards)).flatMap(iceServer);
  } catch {
    return [];
  }
}

/** A bridge has a public address and is reached by UDP or not at all: only a relay over TCP is of use. */
export function helps({ type = '', name, transport }: Readonly<Record<string, string>>, towards: 'bridge' | 'peer'): boolean {
  return towards === 'peer' ? name !== OWN_RELAY : type.startsWith('turn') && transport === 'tcp';
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
