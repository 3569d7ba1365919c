/** An offer as a focus sends it, and an answer as a browser makes it. */
import { NS } from '../src/conference/jingle';
import { xml, type Xml } from '../src/conference/xml';

function transport(extra?: Xml): Xml {
  return xml('transport', { xmlns: NS.ice, ufrag: 'ufrag', pwd: 'password0123456789abcdef' },
    xml('fingerprint', { xmlns: NS.dtls, hash: 'sha-256', setup: 'actpass' }, 'AA:BB'),
    xml('web-socket', { xmlns: NS.colibri, url: 'wss://meet.example/colibri-ws/b/c/e?pwd=x' }),
    xml('candidate', { component: 1, foundation: 1, ip: '203.0.113.5', port: 10000, priority: 2130706431, protocol: 'udp', type: 'host' }),
    extra);
}

function payload(id: number, name: string, clockrate: number, parameters: Record<string, string> = {}): Xml {
  return xml('payload-type', { id, name, clockrate },
    ...Object.entries(parameters).map(([key, value]) => xml('parameter', { name: key, value })));
}

export function offerXml(): Xml {
  const mid = xml('rtp-hdrext', { xmlns: NS.hdrext, id: 10, uri: 'urn:ietf:params:rtp-hdrext:sdes:mid' });
  const mixed = xml('extmap-allow-mixed', { xmlns: NS.hdrext });
  return xml('jingle', { xmlns: NS.jingle, action: 'session-initiate', sid: 's1', initiator: 'focus@focus.example/focus' },
    xml('content', { name: 'audio' }, xml('description', { xmlns: NS.rtp }, payload(111, 'opus', 48000), mid, mixed), transport()),
    xml('content', { name: 'video' }, xml('description', { xmlns: NS.rtp },
      payload(100, 'VP8', 90000), payload(96, 'rtx', 90000, { apt: '100' }),
      payload(101, 'VP9', 90000), payload(97, 'rtx', 90000, { apt: '101' }), mid, mixed), transport()),
    xml('content', { name: 'data' }, transport(xml('sctpmap', { xmlns: NS.sctp, number: 5000 }))),
    xml('bridge-session', { xmlns: NS.focus, id: 'bs1' }),
    xml('json-message', { xmlns: NS.jitmeet }, JSON.stringify({ sources: {
      jvb: [[{ s: 11, n: 'jvb-v0', m: 'mixedmslabel x' }], [], [{ s: 12, n: 'jvb-a0', m: 'mixedmslabel y' }]],
      a1b2c3d4: [
        [{ s: '101', n: 'a1b2c3d4-v0' }, { s: 102, n: 'a1b2c3d4-v0' }], [['f', 101, 102]], [{ s: 201, n: 'a1b2c3d4-a0' }],
      ],
    } })));
}

export const ANSWER = [
  'v=0', 'o=- 1 2 IN IP4 127.0.0.1', 's=-', 't=0 0', 'a=group:BUNDLE 0 1', 'a=extmap-allow-mixed',
  'm=audio 9 UDP/TLS/RTP/SAVPF 111', 'a=ice-ufrag:mine', 'a=ice-pwd:secret', 'a=fingerprint:sha-256 CC:DD', 'a=setup:active',
  'a=mid:0', 'a=sendonly', 'a=rtpmap:111 opus/48000/2', 'a=ssrc:900 cname:c',
  'm=video 9 UDP/TLS/RTP/SAVPF 100 96', 'a=mid:1', 'a=sendonly', 'a=rtpmap:100 VP8/90000', 'a=rtcp-fb:100 nack pli',
  'a=rtpmap:96 rtx/90000', 'a=fmtp:96 apt=100', 'a=ssrc-group:FID 1001 1002',
  'a=ssrc:1001 cname:c', 'a=ssrc:1001 msid:s t', 'a=ssrc:1002 cname:c', 'a=ssrc:1002 msid:s t', '',
].join('\r\n');
