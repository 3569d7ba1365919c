import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodings } from '../src/conference/sender';

const scales = (count: number, height: number) => encodings(count, height, -1).filter((e) => e.active).map((e) => e.scaleResolutionDownBy);
const active = (height: number, maxHeight: number) => encodings(3, height, maxHeight).map((e) => e.active);

test('a large camera has three layers, a middling one two, a small one is sent as it is', () => {
  assert.deepEqual(scales(3, 1080), [4, 2, 1]);
  assert.deepEqual(scales(3, 720), [4, 2, 1]);
  assert.deepEqual(scales(3, 480), [2, 1]);
  assert.deepEqual(scales(3, 360), [2, 1]);
  assert.deepEqual(scales(3, 240), [1]);
});

test('layers that nobody wants are off, from the top', () => {
  assert.deepEqual(active(720, -1), [true, true, true]);
  assert.deepEqual(active(720, 720), [true, true, true]);
  assert.deepEqual(active(720, 360), [true, true, false]);
  assert.deepEqual(active(720, 100), [true, false, false]);
  assert.deepEqual(active(360, 360), [true, true, false]);
  assert.deepEqual(active(360, 180), [true, false, false]);
  assert.deepEqual(active(240, 720), [true, false, false]);
  for (const height of [240, 360, 720]) assert.deepEqual(active(height, 0), [false, false, false]);
});

test('a single encoding is scaled down instead', () => {
  assert.equal(encodings(1, 720, 360)[0]!.scaleResolutionDownBy, 2);
  assert.equal(encodings(1, 720, 1080)[0]!.scaleResolutionDownBy, 1);
  assert.equal(encodings(1, 720, 0)[0]!.active, false);
});

test('every encoding is valid for the browser, whatever is asked', () => {
  for (const height of [1, 120, 359, 360, 719, 720, 2160]) {
    for (const maxHeight of [-1, 0, 1, 180, 5000]) {
      for (const count of [1, 2, 3]) {
        const all = encodings(count, height, maxHeight);
        assert.equal(all.length, count);
        for (const e of all) assert.ok(e.scaleResolutionDownBy >= 1 && e.maxBitrate >= 200_000);
      }
    }
  }
});

test('the bit rate grows with the picture', () => {
  const rates = encodings(3, 720, -1).map((e) => e.maxBitrate);
  assert.deepEqual(rates, [200_000, 700_000, 2_000_000]);
});
