import assert from 'node:assert/strict';
import { test } from 'node:test';
import { verificationString, FEATURES } from '../src/conference/caps';
import { readConfig } from '../src/conference/config';
import { heightFor, receiverConstraints } from '../src/conference/constraints';
import { problemOf } from '../src/conference/devices';
import { newEndpointId, roomLocalPart } from '../src/conference/ids';
import { StatsReader } from '../src/conference/stats';
import { bestGrid } from '../src/ui/stage/grid';
import { suggestRoom } from '../src/ui/room_names';

test('tiles never overlap, always fit, and fill a window well from 1 to 12', () => {
  for (const [width, height] of [[1280, 720], [1920, 1000], [360, 560], [560, 360], [800, 800]] as const) {
    for (let count = 1; count <= 12; count++) {
      const grid = bestGrid(count, width, height, 8);
      assert.ok(grid.columns * grid.rows >= count);
      assert.ok(grid.columns * grid.width + 8 * (grid.columns - 1) <= width, `${count} in ${width}x${height}`);
      assert.ok(grid.rows * grid.height + 8 * (grid.rows - 1) <= height, `${count} in ${width}x${height}`);
      const used = (count * grid.width * grid.height) / (width * height);
      assert.ok(used > 0.45, `${count} in ${width}x${height} uses ${used}`);
    }
  }
});

test('a phone shows two people one above the other, a wide window side by side', () => {
  assert.equal(bestGrid(2, 360, 560, 8).columns, 1);
  assert.equal(bestGrid(2, 1280, 600, 8).columns, 2);
});

test('a window without size gives no grid and no error', () => {
  assert.equal(bestGrid(3, 0, 0, 8).width, 0);
});

test('constraints ask for what a tile can show', () => {
  assert.equal(heightFor(90), 180);
  assert.equal(heightFor(200), 180);
  assert.equal(heightFor(500), 720);
  assert.equal(heightFor(9999), 2160);
  const view = { sizes: new Map([['ann-v0', 300], ['ben-v1', 1000]]), onStage: ['ben-v1', 'eva-v1'], audioOnly: false };
  const constraints = receiverConstraints(view, 'ann-v0');
  assert.deepEqual(constraints.constraints, { 'ann-v0': { maxHeight: 360 }, 'ben-v1': { maxHeight: 1080 } });
  assert.deepEqual(constraints.onStageSources, ['ben-v1'], 'only what is shown');
  assert.deepEqual(constraints.selectedSources, ['ann-v0']);
  assert.deepEqual(constraints.defaultConstraints, { maxHeight: 0 }, 'nothing of those who are not shown');
  assert.deepEqual(receiverConstraints(view, 'eva-v0').selectedSources, [], 'a speaker who is not shown');
  assert.deepEqual(receiverConstraints(view, 'ben-v1').selectedSources, [], 'already on stage');
  const deaf = receiverConstraints({ ...view, audioOnly: true }, 'ann-v0');
  assert.equal(deaf.lastN, 0);
  assert.deepEqual([deaf.constraints, deaf.onStageSources, deaf.selectedSources], [{}, [], []]);
});

test('statistics belong to the owner of the m-line and rates to the time between two reads', () => {
  const reader = new StatsReader();
  const reports = (time: number, bytes: number) => [
    { type: 'inbound-rtp', id: 'v', timestamp: time, kind: 'video', mid: '3', framesDecoded: time, frameWidth: 640, frameHeight: 360, bytesReceived: bytes, packetsReceived: bytes / 100, packetsLost: 0 },
    { type: 'inbound-rtp', id: 'p', timestamp: time, kind: 'video', mid: '3', trackIdentifier: '', framesDecoded: 0, packetsReceived: 5 },
    { type: 'inbound-rtp', id: 'a', timestamp: time, kind: 'audio', mid: '4', audioLevel: 0.5 },
    { type: 'inbound-rtp', id: 'x', timestamp: time, kind: 'audio', mid: '9', audioLevel: 1 },
  ];
  const source = (mid: string) => ({ 3: 'ann-v0', 4: 'ann-a0' })[mid];
  reader.read(reports(1000, 1000), source);
  const second = reader.read(reports(2000, 2000), source);
  assert.equal(second.receiveBitrate, 8000);
  assert.deepEqual([...second.remote.keys()], ['ann']);
  assert.equal(second.remote.get('ann')!.framesDecoded, 2000);
  assert.equal(second.remote.get('ann')!.audioLevel, 0.5);
});

test('room names from addresses', () => {
  assert.equal(roomLocalPart('Tea%20at%20Four'), 'tea-at-four');
  assert.equal(roomLocalPart('a/b@c'), 'a-b-c');
  assert.equal(roomLocalPart('100%'), '100-');
  assert.equal(roomLocalPart('ÖL'), 'öl');
  assert.match(suggestRoom(), /^[a-z]+-[a-z]+-[a-z]+-[a-z]+-\d\d$/);
  assert.match(newEndpointId(), /^[0-9a-f]{8}$/);
});

test('config.js: hosts and addresses, with defaults from the page', () => {
  const config = readConfig({ hosts: { domain: 'd', anonymousdomain: 'guest.d', muc: 'muc.d' }, websocket: 'wss://d/xmpp-websocket' }, 'https://d');
  assert.deepEqual([config.loginDomain, config.rooms, config.focus], ['guest.d', 'muc.d', 'focus.d']);
  assert.equal(config.lobbies, undefined);
  const plain = readConfig(undefined, 'http://localhost:8080');
  assert.equal(plain.websocket, 'ws://localhost:8080/xmpp-websocket');
});

test('device errors have plain reasons', () => {
  assert.equal(problemOf({ name: 'NotFoundError' }), 'none-found');
  assert.equal(problemOf({ name: 'NotAllowedError' }), 'denied');
  assert.equal(problemOf({ name: 'NotReadableError' }), 'in-use');
  assert.equal(problemOf(undefined), 'unknown');
});

test('the caps string lists the features sorted, each once', () => {
  assert.deepEqual([...FEATURES].sort(), FEATURES);
  assert.equal(new Set(FEATURES).size, FEATURES.length);
  assert.ok(verificationString().startsWith('client/web//xmppconf<http://jabber.org/'));
});
