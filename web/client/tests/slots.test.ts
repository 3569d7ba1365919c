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
  assert.equal(slots.put(video('ann', 1), 0), true);
  assert.equal(slots.put({ ...video('ann', 2), kind: 'audio', name: 'ann-a0' }, 0), true);
  assert.deepEqual(slots.slots.map((s) => [s.mid, s.kind, s.source]), [['3', 'video', 'ann-v0'], ['4', 'audio', 'ann-a0']]);
});

test('saying the same again changes nothing', () => {
  const slots = new Slots(3);
  slots.put(video('ann', 1), 0);
  assert.equal(slots.put(video('ann', 1), 0), false);
});

test('a known SSRC with another source is only relabelled', () => {
  const slots = new Slots(3);
  slots.put(video('ann', 1), 0);
  assert.equal(slots.put(video('bob', 1), 0), false);
  assert.equal(slots.bySource('ann-v0'), undefined);
  assert.equal(slots.bySource('bob-v0')!.owner, 'bob');
  assert.equal(slots.slots.length, 1);
});

test('a source that moves to the SSRC of another leaves its own m-line free', () => {
  const slots = new Slots(3);
  slots.put(video('ann', 1), 0);
  slots.put(video('bob', 2), 0);
  assert.equal(slots.put(video('ann', 2), 0), true);
  assert.deepEqual(slots.slots.map((s) => s.source), ['', 'ann-v0']);
});

test('a free m-line is used again, by the same kind only', () => {
  const slots = new Slots(3);
  slots.put(video('ann', 1), 0);
  assert.equal(slots.remove('ann-v0'), true);
  assert.equal(slots.remove('ann-v0'), false);
  slots.put({ ...video('bob', 9), kind: 'audio', name: 'bob-a0' }, 0);
  slots.put(video('cy', 5), 0);
  assert.deepEqual(slots.slots.map((s) => [s.mid, s.source]), [['3', 'cy-v0'], ['4', 'bob-a0']]);
});

test('an SSRC that comes back gets another m-line than the one that it left', () => {
  const slots = new Slots(3);
  slots.put(video('ann', 1), 0);
  slots.remove('ann-v0');
  assert.equal(slots.put(video('ann', 1), 0), true);
  assert.deepEqual(slots.slots.map((s) => [s.mid, s.source]), [['3', ''], ['4', 'ann-v0']]);
  slots.put(video('bob', 2), 0);
  assert.deepEqual(slots.slots.map((s) => [s.mid, s.source]), [['3', 'bob-v0'], ['4', 'ann-v0']]);
});

test('without room for another m-line an SSRC comes back to its own', () => {
  const slots = new Slots(3);
  for (let i = 1; i <= MAX_SLOTS; i++) slots.put(video(`p${i}`, i), 0);
  slots.remove('p7-v0');
  assert.equal(slots.put(video('p7', 7), 0), true);
  assert.equal(slots.bySource('p7-v0')!.mid, '9');
});

test('m-lines are bounded', () => {
  const slots = new Slots(3);
  for (let i = 1; i <= 2 * MAX_SLOTS; i++) slots.put(video(`p${i}`, i), 0);
  assert.equal(slots.slots.length, MAX_SLOTS);
});

test('whoever goes from the room and comes back is where he was: nobody says again what he sends', () => {
  const slots = new Slots(3);
  slots.put(video('ann', 1), 0);
  slots.look(() => false, 1_000);
  assert.equal(slots.bySource('ann-v0')!.mid, '3');
  slots.put(video('bob', 2), 30_999);
  assert.deepEqual(slots.slots.map((s) => s.source), ['ann-v0', 'bob-v0'], 'newcomers leave the place alone');
  slots.look(() => true, 30_999);
  slots.put(video('cy', 3), 90_000);
  assert.deepEqual(slots.slots.map((s) => s.source), ['ann-v0', 'bob-v0', 'cy-v0']);
});

test('what is mapped before its owner is in the room is there when he is', () => {
  const slots = new Slots(3);
  slots.look(() => false, 0);
  slots.put(video('ann', 1), 5_000);
  slots.look((owner) => owner === 'ann', 6_000);
  slots.put(video('bob', 2), 60_000);
  assert.equal(slots.bySource('ann-v0')!.mid, '3');
});

test('the m-line of one who stays away is for others, and his new session gets another', () => {
  const slots = new Slots(3);
  slots.put(video('ann', 1), 0);
  slots.look(() => false, 1_000);
  slots.look(() => false, 20_000);
  assert.equal(slots.put(video('bob', 2), 31_000), true);
  assert.deepEqual(slots.slots.map((s) => [s.mid, s.source]), [['3', 'bob-v0']]);
  slots.look((owner) => owner === 'bob', 32_000);
  assert.equal(slots.put(video('ann', 3), 33_000), true);
  assert.deepEqual(slots.slots.map((s) => [s.mid, s.source]), [['3', 'bob-v0'], ['4', 'ann-v0']]);
});

test('a new session under the same name, told before the old one is seen to leave, keeps its place', () => {
  const slots = new Slots(3);
  slots.put(video('ann', 1), 0);
  assert.equal(slots.put(video('ann', 7), 1_000), true);
  slots.look(() => false, 1_100);
  slots.look(() => true, 1_200);
  assert.deepEqual(slots.slots.map((s) => [s.mid, s.source, s.ssrc]), [['3', 'ann-v0', 7]]);
});

test('an SSRC that goes from an absent one to another is there to stay', () => {
  const slots = new Slots(3);
  slots.put(video('ann', 1), 0);
  slots.look(() => false, 0);
  slots.put(video('bob', 1), 10_000);
  slots.put(video('cy', 2), 31_000);
  assert.deepEqual(slots.slots.map((s) => s.source), ['bob-v0', 'cy-v0']);
});

test('where there is no more room, whoever has been away longest gives way', () => {
  const slots = new Slots(3);
  for (let i = 1; i <= MAX_SLOTS; i++) slots.put(video(`p${i}`, i), 0);
  slots.look((owner) => owner !== 'p7', 1_000);
  slots.look((owner) => owner !== 'p7' && owner !== 'p3', 2_000);
  assert.equal(slots.put(video('new', 99), 3_000), true);
  assert.equal(slots.bySource('p7-v0'), undefined);
  assert.equal(slots.bySource('p3-v0')!.mid, '5');
  assert.equal(slots.bySource('new-v0')!.mid, '9');
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
