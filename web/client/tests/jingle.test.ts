import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NS, readOffer, readSources, sessionAccept, sessionTerminate } from '../src/conference/jingle';
import { addSimulcast, firstSlotMid, preferCodec, readLocal, remoteDescription } from '../src/conference/sdp';
import { all, first, serialize, xml, type Xml } from '../src/conference/xml';
import { ANSWER, offerXml } from './offer';

function described(sdp: string): string[][] {
  return sdp.split(/\r\n(?=m=)/).map((section) => section.split('\r\n'));
}

test('an offer gives media, transport, data channel and bridge session', () => {
  const offer = readOffer(offerXml(), 'room@muc.example/focus');
  assert.equal(offer.sid, 's1');
  assert.equal(offer.sctpPort, 5000);
  assert.equal(offer.bridgeSession, 'bs1');
  assert.deepEqual(offer.transport.webSockets, ['wss://meet.example/colibri-ws/b/c/e?pwd=x']);
  assert.deepEqual(offer.media.map((m) => m.kind), ['audio', 'video']);
  assert.equal(offer.media[1]!.payloads[1]!.parameters[0]![1], '100');
});

test('an offer without a transport is refused', () => {
  assert.throws(() => readOffer(xml('jingle', { xmlns: NS.jingle, sid: 's' }), 'x'));
});

test("the bridge's own sources are no tracks; JSON sources keep their retransmissions", () => {
  assert.deepEqual(readOffer(offerXml(), 'f').sources, [
    { kind: 'video', name: 'a1b2c3d4-v0', owner: 'a1b2c3d4', ssrc: 101, rtx: 102, videoType: 'camera' },
    { kind: 'audio', name: 'a1b2c3d4-a0', owner: 'a1b2c3d4', ssrc: 201, rtx: undefined, videoType: 'camera' },
  ]);
});

test('XML sources are read with owner given as a full JID', () => {
  const source = (ssrc: number) =>
    xml('source', { xmlns: NS.ssma, ssrc, name: 'bob-v1', videoType: 'desktop' },
      xml('ssrc-info', { xmlns: NS.jitmeet, owner: 'room@muc.example/bob' }));
  const jingle = xml('jingle', { xmlns: NS.jingle }, xml('content', { name: 'video' },
    xml('description', { xmlns: NS.rtp }, source(7), source(8),
      xml('ssrc-group', { xmlns: NS.ssma, semantics: 'FID' }, xml('source', { ssrc: 7 }), xml('source', { ssrc: 8 })))));
  assert.deepEqual(readSources(jingle), [
    { kind: 'video', name: 'bob-v1', owner: 'bob', ssrc: 7, rtx: 8, videoType: 'desktop' },
  ]);
});

test('the remote description bundles all, drops mid and puts candidates once', () => {
  const offer = readOffer(offerXml(), 'f');
  assert.equal(firstSlotMid(offer), 3);
  const slots = [
    { mid: '3', kind: 'video' as const, ssrc: 101, rtx: 102, source: 'a1b2c3d4-v0', owner: 'a1b2c3d4', videoType: 'camera' as const },
    { mid: '4', kind: 'audio' as const, ssrc: 5, source: '', owner: '', videoType: 'camera' as const },
  ];
  const sdp = remoteDescription(offer, slots, 'vp8', 7);
  const [head, ...sections] = described(sdp);
  assert.ok(head!.includes('a=group:BUNDLE 0 1 2 3 4'));
  assert.ok(head!.includes('a=extmap-allow-mixed'));
  assert.ok(head!.some((l) => l.includes(' 7 IN IP4')));
  assert.equal(sections.length, 5);
  assert.ok(sections[0]!.includes('a=recvonly'));
  assert.ok(sections[1]!.includes('a=fmtp:96 apt=100'));
  assert.ok(sections[2]!.includes('a=sctp-port:5000'));
  assert.ok(sections[3]!.includes('a=ssrc-group:FID 101 102'));
  assert.ok(sections[4]!.includes('a=inactive'));
  assert.ok(sections.every((s) => s.includes('a=ice-ufrag:ufrag')));
  assert.equal(sdp.match(/a=candidate:/g)!.length, 1);
  assert.ok(!sdp.includes('sdes:mid'));
  assert.ok(!sdp.includes('mixedmslabel'));
});

test('the preferred codec and its retransmissions come first', () => {
  const video = readOffer(offerXml(), 'f').media[1]!;
  assert.deepEqual(preferCodec(video, 'vp9').payloads.map((p) => p.id), [101, 97, 100, 96]);
  assert.deepEqual(preferCodec(video, 'h265').payloads, video.payloads);
});

test('simulcast: three encodings and three repairs in one SIM group, added once', () => {
  const once = addSimulcast(ANSWER, '1');
  const lines = once.split('\r\n');
  const sim = lines.find((l) => l.startsWith('a=ssrc-group:SIM '))!.split(' ').slice(1);
  assert.equal(sim.length, 3);
  assert.equal(sim[0], '1001');
  assert.equal(lines.filter((l) => l.startsWith('a=ssrc-group:FID')).length, 3);
  assert.equal(new Set(lines.filter((l) => /^a=ssrc:\d+ cname/.test(l)).map((l) => l.split(' ')[0])).size, 7);
  assert.ok(lines.includes('a=ssrc:900 cname:c'));
  assert.equal(addSimulcast(once, '1'), once);
});

test('the answer becomes a session-accept with our sources', () => {
  const offer = readOffer(offerXml(), 'f');
  const answer = readLocal(addSimulcast(ANSWER, '1'), ['audio', 'video'], 'me');
  assert.equal(answer.transport.ufrag, 'mine');
  assert.equal(answer.transport.fingerprint.setup, 'active');
  const accept = sessionAccept(offer, answer, 'me@guest.example/r');
  const video = all(accept, 'content').find((c) => c.attrs.name === 'video')!;
  const description = first(video, 'description', NS.rtp)!;
  const sources = all(description, 'source', NS.ssma);
  assert.equal(sources.length, 6);
  assert.ok(sources.every((s) => s.attrs.name === 'me-v0' && first(s, 'parameter')?.attrs.value === 'me-video-0-1 3e9-v0'));
  assert.equal(first(description, 'payload-type')?.attrs.id, '100');
  const data = all(accept, 'content').find((c) => c.attrs.name === 'data')!;
  assert.ok(first(first(data, 'transport', NS.ice), 'sctpmap', NS.sctp));
  assert.deepEqual(all(first(accept, 'group', NS.grouping)!, 'content').map((c) => c.attrs.name), ['audio', 'video', 'data']);
});

test('a restart names the bridge session', () => {
  const terminate = sessionTerminate(readOffer(offerXml(), 'f'), 'connectivity-error', true);
  assert.equal(first(terminate, 'bridge-session', NS.focus)?.attrs.restart, 'true');
  assert.equal(first(terminate, 'bridge-session', NS.focus)?.attrs.id, 'bs1');
});

test('text is escaped, and what XML cannot carry is dropped', () => {
  const node: Xml = xml('a', { b: '"<' }, 'x & \u0000y\ud800');
  assert.equal(serialize(node), '<a b="&quot;&lt;">x &amp; y</a>');
});

/** The same element with every attribute and text spoilt by `spoil`. */
function spoilt(node: Xml, spoil: (value: string, name: string) => string): Xml {
  return {
    ...node,
    attrs: Object.fromEntries(Object.entries(node.attrs).map(([k, v]) => [k, k === 'xmlns' || (node.name === 'content' && k === 'name') ? v : spoil(v, k)])),
    children: node.children.map((c) => (typeof c === 'string' ? (c.startsWith('{') ? c : spoil(c, '')) : spoilt(c, spoil))),
  };
}

test('nothing in an offer can add lines to the session description', () => {
  for (const bad of ['\r\na=candidate:evil', '\na=ice-lite', '\u2028a=x', ' a=y\u0000']) {
    const offer = readOffer(spoilt(offerXml(), (value) => value + bad), 'room@muc/focus');
    const sdp = remoteDescription(offer, [], 'vp8', 1);
    assert.ok(!/^a=(candidate:evil|ice-lite|x|y)/m.test(sdp), sdp);
    for (const line of sdp.split('\r\n')) assert.match(line, /^([vostamc]=[ -~]*)?$/);
  }
});

test('numbers that are none, and too much of anything, are left out of an offer', () => {
  const odd = readOffer(spoilt(offerXml(), (value, name) => (['id', 'number', 'clockrate'].includes(name) ? '1.5e9' : value)), 'f');
  assert.deepEqual(odd.media.flatMap((m) => [...m.payloads, ...m.extensions]), []);
  assert.equal(odd.sctpPort, 5000);
  const offer = offerXml();
  const many = { ...offer, children: [...offer.children, ...offer.children, ...offer.children] };
  assert.deepEqual(readOffer(many, 'f').media.map((m) => m.kind), ['audio', 'video']);
});

test('an SSRC is a whole number of 32 bits', () => {
  const sources = (s: unknown) => readSources(xml('jingle', {}, xml('json-message', { xmlns: NS.jitmeet },
    JSON.stringify({ sources: { ann: [[{ s, n: 'ann-v0' }], [], [], []] } }))));
  assert.equal(sources(5).length, 1);
  for (const bad of [0, -1, 1.5, 2 ** 32, 'x', null]) assert.deepEqual(sources(bad), []);
});
