import assert from 'node:assert/strict';
import { test } from 'node:test';
import { departure, errorCondition, ownPresence, readLimits, readName, readOccupant, statusCodes } from '../src/conference/presence';
import { first, text, xml } from '../src/conference/xml';

const USER = 'http://jabber.org/protocol/muc#user';

function presence(...children: Parameters<typeof xml>[2][]) {
  return xml('presence', { from: 'room@muc.example/ann' }, ...children);
}

test('SourceInfo says who is muted; without an entry everybody is', () => {
  const info = JSON.stringify({ 'ann-a0': { muted: false }, 'ann-v0': { muted: false, videoType: 'desktop' }, 'bob-a0': { muted: true } });
  const ann = readOccupant(presence(xml('SourceInfo', {}, info)));
  assert.deepEqual([ann.id, ann.audioMuted, ann.videoMuted, ann.videoType], ['ann', false, false, 'desktop']);
  const silent = readOccupant(presence());
  assert.deepEqual([silent.audioMuted, silent.videoMuted], [true, true]);
});

test('the focus says of what so much is sent that nobody else may begin', () => {
  const property = (key: string, value: string) => xml('property', { key, value });
  const properties = xml('conference-properties', {}, property('audio-limit-reached', 'true'), property('video-limit-reached', 'false'), property('bridge-count', 'true'));
  assert.deepEqual([...readLimits(presence(properties))], ['audio']);
  assert.deepEqual([...readLimits(presence())], []);
});

test('broken SourceInfo and foreign shapes mean muted, not an error', () => {
  for (const broken of ['{', 'null', '[]', '{"ann-a0":null}', '{"ann-a0":{"muted":"no"}}']) {
    assert.equal(readOccupant(presence(xml('SourceInfo', {}, broken))).audioMuted, true);
  }
});

test('gateways without SourceInfo are read by their old elements', () => {
  assert.equal(readOccupant(presence(xml('audiomuted', {}, 'false'))).audioMuted, false);
});

test('names are bounded', () => {
  const long = readOccupant(presence(xml('nick', { xmlns: 'http://jabber.org/protocol/nick' }, 'x'.repeat(5000))));
  assert.equal(long.name.length, 80);
});

test('our presence joins once and then only tells', () => {
  const own = { nick: 'Me', audioMuted: true, videoMuted: false };
  const joining = ownPresence('room@muc.example/me', 'me', own, {});
  assert.ok(first(joining, 'x', 'http://jabber.org/protocol/muc'));
  assert.deepEqual(JSON.parse(text(first(joining, 'SourceInfo'))), { 'me-a0': { muted: true }, 'me-v0': { muted: false } });
  assert.equal(first(ownPresence('r/me', 'me', own), 'x'), undefined);
});

test('why somebody is gone', () => {
  const gone = (...children: ReturnType<typeof xml>[]) => presence(xml('x', { xmlns: USER }, ...children));
  assert.equal(departure(gone()), 'left');
  assert.equal(departure(gone(xml('status', { code: 307 }))), 'kicked');
  const kicked = (why: string) => gone(xml('item', {}, xml('reason', {}, why)), xml('status', { code: 307 }));
  assert.deepEqual(['full', 'waiting-for-host', 'noise'].map((why) => departure(kicked(why))), ['room-full', 'left', 'kicked']);
  assert.equal(departure(gone(xml('destroy'))), 'room-closed');
  assert.deepEqual(statusCodes(gone(xml('status', { code: 110 }))), new Set(['110']));
});

test('a refused join names its condition', () => {
  assert.equal(errorCondition(presence(xml('error', {}, xml('text', {}, 'full'), xml('service-unavailable')))), 'service-unavailable');
  assert.equal(errorCondition(presence()), 'undefined-condition');
});

test('a name cannot break out of its line or turn the text around it', () => {
  assert.equal(readName('  Ann\n\u202Eevil\u2066  B\u0000  '), 'Ann evil B');
  assert.equal(readName('مريم'), 'مريم');
  assert.equal(readName('👩‍👩‍👧'), '👩‍👩‍👧');
  assert.ok(!/[\uD800-\uDBFF]$/.test(readName('👍'.repeat(200))));
});
