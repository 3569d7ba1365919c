/** What we tell others we can do (XEP-0030, XEP-0115). */
import { xml, type Xml } from './xml';

export const CAPS_NODE = 'urn:xmppconf:client';
const DISCO = 'http://jabber.org/protocol/disco#info';

export const FEATURES: readonly string[] = [
  'http://jabber.org/protocol/caps',
  DISCO,
  'http://jitsi.org/json-encoded-sources',
  'http://jitsi.org/receive-multiple-video-streams',
  'http://jitsi.org/source-name',
  'http://jitsi.org/ssrc-rewriting-1',
  ...(takesRedundancy() ? ['http://jitsi.org/opus-red'] : []),
  'http://jitsi.org/tcc',
  'urn:ietf:rfc:4588',
  'urn:ietf:rfc:5761',
  'urn:ietf:rfc:5888',
  'urn:xmpp:jingle:1',
  'urn:xmpp:jingle:apps:dtls:0',
  'urn:xmpp:jingle:apps:rtp:1',
  'urn:xmpp:jingle:apps:rtp:audio',
  'urn:xmpp:jingle:apps:rtp:video',
  'urn:xmpp:jingle:transports:dtls-sctp:1',
  'urn:xmpp:jingle:transports:ice-udp:1',
  'urn:xmpp:ping',
].sort();

/** Whether this browser can be sent sound with redundancy (RFC 2198): it is, without its answer being asked. */
function takesRedundancy(): boolean {
  if (typeof RTCRtpReceiver === 'undefined') return false;
  return RTCRtpReceiver.getCapabilities('audio')?.codecs.some(({ mimeType }) => mimeType.toLowerCase() === 'audio/red') ?? false;
}

/** The string whose hash is `ver` (XEP-0115, 5.1). */
export function verificationString(): string {
  return `client/web//xmppconf<${FEATURES.map((f) => `${f}<`).join('')}`;
}

/** Base64 of the SHA-1 of the verification string; undefined outside secure contexts. */
export async function capsVersion(): Promise<string | undefined> {
  if (!globalThis.crypto?.subtle) return undefined;
  const digest = await crypto.subtle.digest('SHA-1', new TextEncoder().encode(verificationString()));
  return btoa(String.fromCharCode(...new Uint8Array(digest)));
}

export function capsElement(version: string): Xml {
  return xml('c', { xmlns: 'http://jabber.org/protocol/caps', hash: 'sha-1', node: CAPS_NODE, ver: version });
}

/** The answer to a disco#info request; the node asked for is repeated. */
export function discoInfo(node: string | undefined): Xml {
  return xml('query', { xmlns: DISCO, node },
    xml('identity', { category: 'client', type: 'web', name: 'xmppconf' }),
    ...FEATURES.map((feature) => xml('feature', { var: feature })));
}

export function isDiscoInfo(iq: Xml): Xml | undefined {
  return iq.children.find((c): c is Xml => typeof c !== 'string' && c.name === 'query' && c.ns === DISCO);
}
