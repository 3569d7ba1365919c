import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LinkWatch } from '../src/conference/link_watch';
import { MicrophoneWatch, type MicrophoneHint } from '../src/conference/microphone_watch';

const STEP = 125;

/** Feeds so many milliseconds of one loudness; returns the hints that were given. */
function feed(watch: MicrophoneWatch, from: number, ms: number, decibels: number, muted: boolean): MicrophoneHint[] {
  const hints: MicrophoneHint[] = [];
  for (let now = from; now < from + ms; now += STEP) {
    const hint = watch.look(decibels, muted, now);
    if (hint) hints.push(hint);
  }
  return hints;
}

test('who speaks while muted is told so once, and a cough is no speech', () => {
  const watch = new MicrophoneWatch();
  assert.deepEqual(feed(watch, 0, 250, -20, true), []);
  assert.deepEqual(feed(watch, 250, 2000, -70, true), []);
  assert.deepEqual(feed(watch, 3000, 5000, -20, true), ['speaking-muted']);
  assert.deepEqual(feed(watch, 40_000, 2000, -20, true), ['speaking-muted'], 'again after a while');
});

test('a microphone that gives nothing, or nothing but noise, is mentioned', () => {
  const watch = new MicrophoneWatch();
  assert.deepEqual(feed(watch, 0, 20_000, -100, false), ['silent']);
  assert.deepEqual(feed(watch, 20_000, 20_000, -40, false), ['noisy']);
  const speech = new MicrophoneWatch();
  for (let second = 0; second < 60; second++) assert.deepEqual(feed(speech, second * 1000, 1000, second % 3 ? -20 : -65, false), []);
  assert.deepEqual(feed(new MicrophoneWatch(), 0, 60_000, -100, true), [], 'a muted one owes nothing');
});

test('a weak link is one that stays bad, and it is well again only after a while', () => {
  const watch = new LinkWatch();
  const look = (lossFraction: number, roundTrip = 0.05) => watch.look({ lossFraction, roundTrip });
  assert.deepEqual([0.2, 0.2, 0.2, 0.2, 0.2, 0, 0.2].map((loss) => look(loss)), [false, false, false, false, true, true, true]);
  assert.ok(Array.from({ length: 9 }, () => look(0)).every(Boolean));
  assert.equal(look(0), false);
  assert.deepEqual(Array.from({ length: 5 }, () => look(0, 2)), [false, false, false, false, true], 'slow counts as well');
});
