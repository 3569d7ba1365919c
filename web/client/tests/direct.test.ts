import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DirectCall, roleIn } from '../src/conference/direct';
import { compareSigns, fingerprintOf } from '../src/conference/fingerprint';
import { helps, iceServer } from '../src/conference/ice_servers';
import {
  contentModify, directSession, NS, readCandidates, readModify, readOffer, readSources, sourceAdd, transportInfo,
} from '../src/conference/jingle';
import { candidateLine, readCandidateLine, readLocal, readLocalSource, remoteDescription } from '../src/conference/sdp';
import { Trickle } from '../src/conference/trickle';
import type { Link } from '../src/conference/link';
import type { Candidate } from '../src/conference/types';
import { all, first, xml } from '../src/conference/xml';
import { ANSWER } from './offer';

const IDS = { sid: 's', initiator: 'room@muc.example/aa' };
const LOCAL = readLocal(ANSWER.replace('a=setup:active', 'a=setup:actpass'), ['audio', 'video'], 'aa');

test('the smaller id starts, and only two people alone are connected directly', () => {
  assert.equal(roleIn('aa', ['bb'], true), 'initiator');
  assert.equal(roleIn('bb', ['aa'], true), 'responder');
  for (const [peers, allowed] of [[[], true], [['bb', 'cc'], true], [['bb'], false]] as const) assert.equal(roleIn('aa', peers, allowed), 'none');
});

test('what one writes to start a direct session the other one reads', () => {
  const jingle = directSession('session-initiate', IDS, LOCAL);
  assert.deepEqual(all(jingle, 'content').map((c) => c.attrs.name), ['0', '1']);
  assert.deepEqual(all(first(jingle, 'group', NS.grouping)!, 'content').map((c) => c.attrs.name), ['0', '1']);
  const offer = readOffer(jingle, 'aa');
  assert.deepEqual(offer.media.map((m) => m.kind), ['audio', 'video']);
  assert.deepEqual(offer.transport.fingerprint, LOCAL.transport.fingerprint);
  assert.equal(offer.transport.fingerprint.setup, 'actpass');
  assert.equal(offer.sctpPort, undefined);
  assert.deepEqual(offer.sources.map((s) => [s.name, s.owner, s.kind, s.ssrc]), [['aa-a0', 'aa', 'audio', 900], ['aa-v0', 'aa', 'video', 1001]]);
  const sdp = remoteDescription(offer, [], 'vp8', 1);
  assert.ok(sdp.includes('a=group:BUNDLE 0 1\r\n'));
  assert.ok(!sdp.includes('sdes:mid'));
});

test('candidates survive the way through Jingle', () => {
  const line = 'candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx raddr 10.0.0.17 rport 50000 generation 0 ufrag x network-cost 999';
  const candidate = readCandidateLine(line)!;
  const [read] = readCandidates(transportInfo(IDS, LOCAL.transport, [candidate]));
  assert.deepEqual(read, candidate);
  assert.equal(candidateLine(read!), 'candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx raddr 10.0.0.17 rport 50000 generation 0');
  assert.equal(readCandidateLine('candidate:1 1 tcp 1518280447 10.0.0.1 9 typ host tcptype active'), undefined);
  assert.equal(readCandidateLine(''), undefined);
});

test('candidates wait for the description they belong to, and ours go out in few stanzas', async () => {
  const taken: string[] = [];
  const sent: Candidate[][] = [];
  const pc = {
    remoteDescription: null as object | null,
    onicecandidate: null as ((event: object) => void) | null,
    addIceCandidate: ({ candidate }: { candidate: string }) => Promise.resolve(taken.push(candidate)),
  };
  const trickle = new Trickle(pc as unknown as RTCPeerConnection, (candidates) => sent.push(candidates));
  const line = (port: number) => `candidate:1 1 udp 1677729535 203.0.113.7 ${port} typ host`;
  const found = (port: number) => pc.onicecandidate!({ candidate: { candidate: line(port) } });
  trickle.take([readCandidateLine(line(1))!]);
  assert.equal(taken.length, 0);
  pc.remoteDescription = {};
  trickle.described();
  trickle.take([readCandidateLine(line(2))!]);
  assert.deepEqual(taken.map((one) => one.split(' ')[5]), ['1', '2']);
  found(3);
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.equal(sent.length, 0, 'not before our description');
  trickle.begin();
  found(4);
  found(5);
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.deepEqual(sent.map((stanza) => stanza.map((one) => one.port)), [['3'], ['4', '5']]);
  trickle.close();
  assert.equal(pc.onicecandidate, null);
});

test('candidates that come while an offer is being looked at are taken', () => {
  const replies: string[] = [];
  const link = {
    room: { id: 'bb', jid: 'tea@muc.example', focusAddress: 'tea@muc.example/focus', address: 'tea@muc.example/bb' },
    xmpp: {
      reply: (iq: { attrs: Record<string, string> }) => replies.push(`taken ${iq.attrs.id}`),
      refuse: (iq: { attrs: Record<string, string> }) => replies.push(`refused ${iq.attrs.id}`),
      request: () => new Promise(() => undefined), // What servers there are is not known yet.
    },
  };
  const call = new DirectCall(link as unknown as Link, () => [] as never, () => 'vp8');
  call.consider(['aa'], true);
  const iq = (id: string, from: string, sid: string, action: string) =>
    xml('iq', { type: 'set', id, from: `tea@muc.example/${from}` }, { ...xml('jingle', { action, sid }), ns: NS.jingle });
  call.take(iq('1', 'aa', 's', 'session-initiate'));
  call.take(iq('2', 'aa', 's', 'transport-info'));
  call.take(iq('3', 'aa', 'another', 'transport-info'));
  call.take(iq('4', 'cc', 's', 'transport-info'));
  assert.deepEqual(replies, ['taken 1', 'taken 2', 'refused 3', 'refused 4']);
});

test('a peer is told which heights are wanted', () => {
  const heights = new Map([['bb-v0', 360]]);
  assert.deepEqual(readModify(contentModify(IDS, true, heights)), { video: true, heights });
  assert.equal(readModify(contentModify(IDS, false, new Map())).video, false);
  assert.deepEqual(readModify(xml('jingle', {})), { video: true, heights: new Map() });
});

test('a further source is announced under its own name', () => {
  const sdp = ['v=0', 'm=video 9 UDP/TLS/RTP/SAVPF 100', 'a=mid:7', 'a=sendonly', 'a=ssrc:5 cname:c', 'a=ssrc:6 cname:c', 'a=ssrc-group:FID 5 6', ''].join('\r\n');
  const source = readLocalSource(sdp, '7', 'aa', 'v1')!;
  assert.equal(readLocalSource(sdp, '8', 'aa', 'v1'), undefined);
  assert.deepEqual(readSources(sourceAdd('s', 'f', source, 'video')), [
    { kind: 'video', name: 'aa-v1', owner: 'aa', ssrc: 5, rtx: 6, videoType: 'desktop' },
  ]);
});

test('only STUN and TURN servers with sound addresses are used, TURN with credentials', () => {
  assert.deepEqual(iceServer({ type: 'stun', host: 'meet.example', port: '3478' }), [{ urls: 'stun:meet.example:3478' }]);
  assert.deepEqual(iceServer({ type: 'turns', host: '2001:db8::1', port: '443', transport: 'tcp', username: 'u', password: 'p' }),
    [{ urls: 'turns:[2001:db8::1]:443?transport=tcp', username: 'u', credential: 'p' }]);
  for (const bad of [{ type: 'http', host: 'a' }, { type: 'stun', host: 'a b' }, { type: 'turn', host: 'a' }, {}] as Record<string, string>[]) {
    assert.deepEqual(iceServer(bad), []);
  }
});

test('the own relay leads to bridges, where others help only over TCP', () => {
  const own = { type: 'turns', transport: 'tcp', name: 'bridges' };
  const others = [{ type: 'stun', transport: 'udp' }, { type: 'turn', transport: 'udp' }, { type: 'turns', transport: 'tcp' }];
  assert.deepEqual([own, ...others].map((attrs) => helps(attrs, 'bridge')), [true, false, false, true]);
  assert.deepEqual([own, ...others].map((attrs) => helps(attrs, 'peer')), [false, true, true, true]);
});

test('both sides see the same signs, and others with another certificate', async () => {
  const [ann, ben, eve] = ['sha-256 AA:01', 'sha-256 bb:02', 'sha-256 CC:03'] as const;
  const seen = await compareSigns(ann, ben);
  assert.equal(seen!.length, 10);
  assert.deepEqual(await compareSigns(ben.toUpperCase(), ann), seen);
  assert.notDeepEqual(await compareSigns(ann, eve), seen);
  assert.equal(fingerprintOf('v=0\r\na=fingerprint:sha-256 AA:01\r\n'), ann);
});

test('a peer may leave out the names of its sources', () => {
  const source = (ssrc: number) => xml('source', { xmlns: NS.ssma, ssrc });
  const content = (name: number, media: string, ...sources: ReturnType<typeof source>[]) =>
    xml('content', { name }, xml('description', { xmlns: NS.rtp, media }, ...sources));
  const offer = xml('jingle', { action: 'session-accept' }, content(0, 'audio', source(1)), content(1, 'video', source(2)));
  assert.deepEqual(readSources(offer, 'bb').map((s) => [s.name, s.owner, s.ssrc]), [['bb-a0', 'bb', 1], ['bb-v0', 'bb', 2]]);
  const added = xml('jingle', { action: 'source-add' }, content(1, 'video', source(3)));
  assert.deepEqual(readSources(added, 'bb').map((s) => s.name), ['bb-v1']);
  assert.deepEqual(readSources(offer), [], 'the focus names them all');
});
