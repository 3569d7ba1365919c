import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readMap } from '../src/conference/channel';
import { MAX_SLOTS, Slots } from '../src/conference/slots';
import type { RemoteSource } from '../src/conference/types';

function video(owner: string, ssrc: number, rtx = ssrc + 1000): RemoteSource {
  return { kind: 'video', name: `${owner}-v0`, owner, ssrc, rtx, videoType: 'camera' };
}

test('a new source takes a new m-line after the fixed ones', () => {
  const slots = new Slots(3);
  assert.equal(slots.put(video('ann', 1)), true);
  assert.equal(slots.put({ ...video('ann', 2), kind: 'audio', name: 'ann-a0' }), true);
  assert.deepEqual(slots.slots.map((s) => [s.mid, s.kind, s.source]), [['3', 'video', 'ann-v0'], ['4', 'audio', 'ann-a0']]);
});

test('saying the same again changes nothing', () => {
  const slots = new Slots(3);
  slots.put(video('ann', 1));
  assert.equal(slots.put(video('ann', 1)), false);
});

test('a known SSRC with another source is only relabelled', () => {
  const slots = new Slots(3);
  slots.put(video('ann', 1));
  assert.equal(slots.put(video('bob', 1)), false);
  assert.equal(slots.bySource('ann-v0'), undefined);
  assert.equal(slots.bySource('bob-v0')!.owner, 'bob');
  assert.equal(slots.slots.length, 1);
});

test('a source that moves to the SSRC of another leaves its own m-line free', () => {
  const slots = new Slots(3);
  slots.put(video('ann', 1));
  slots.put(video('bob', 2));
  assert.equal(slots.put(video('ann', 2)), true);
  assert.deepEqual(slots.slots.map((s) => s.source), ['', 'ann-v0']);
});

test('a free m-line is used again, by the same kind only', () => {
  const slots = new Slots(3);
  slots.put(video('ann', 1));
  assert.equal(slots.removeOwner('ann'), true);
  assert.equal(slots.removeOwner('ann'), false);
  slots.put({ ...video('bob', 9), kind: 'audio', name: 'bob-a0' });
  slots.put(video('cy', 5));
  assert.deepEqual(slots.slots.map((s) => [s.mid, s.source]), [['3', 'cy-v0'], ['4', 'bob-a0']]);
});

test('an SSRC that comes back gets another m-line than the one that it left', () => {
  const slots = new Slots(3);
  slots.put(video('ann', 1));
  slots.removeOwner('ann');
  assert.equal(slots.put(video('ann', 1)), true);
  assert.deepEqual(slots.slots.map((s) => [s.mid, s.source]), [['3', ''], ['4', 'ann-v0']]);
  slots.put(video('bob', 2));
  assert.deepEqual(slots.slots.map((s) => [s.mid, s.source]), [['3', 'bob-v0'], ['4', 'ann-v0']]);
});

test('without room for another m-line an SSRC comes back to its own', () => {
  const slots = new Slots(3);
  for (let i = 1; i <= MAX_SLOTS; i++) slots.put(video(`p${i}`, i));
  slots.removeOwner('p7');
  assert.equal(slots.put(video('p7', 7)), true);
  assert.equal(slots.bySource('p7-v0')!.mid, '9');
});

test('m-lines are bounded', () => {
  const slots = new Slots(3);
  for (let i = 1; i <= 2 * MAX_SLOTS; i++) slots.put(video(`p${i}`, i));
  assert.equal(slots.slots.length, MAX_SLOTS);
});

test('source maps: sense is kept, nonsense is left out', () => {
  const map = [
    { source: 'ann-v0', owner: 'ann', ssrc: 5, rtx: 6, videoType: 'DESKTOP' },
    { source: 'bob-v0', owner: 'bob', ssrc: 7, rtx: '-1', videoType: 'CAMERA' },
    { source: 'bob-a0', owner: 'bob', ssrc: 8 },
    { source: 'eve-v0', owner: 'eve', ssrc: -1 },
    { source: '../eve', owner: 'eve', ssrc: 9 },
  ];
  assert.deepEqual(readMap(map, 'video').map((s) => [s.name, s.ssrc, s.rtx, s.videoType]), [
    ['ann-v0', 5, 6, 'desktop'], ['bob-v0', 7, undefined, 'camera'],
  ]);
  assert.deepEqual(readMap(map, 'audio').map((s) => s.name), ['bob-a0']);
  assert.deepEqual(readMap('nothing', 'audio'), []);
});
