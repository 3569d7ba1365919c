import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff } from '../src/conference/backoff';
import { failureOf, JoinError, RequestRefused } from '../src/conference/errors';
import type { Occupant } from '../src/conference/presence';
import { Roster } from '../src/conference/roster';

test('pauses grow to a limit and begin anew after a quiet time in the room', () => {
  const backoff = new Backoff();
  const pauses = Array.from({ length: 8 }, () => backoff.next(0, 1));
  assert.deepEqual(pauses, [1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
  backoff.succeeded(1000);
  assert.equal(backoff.next(5000, 1), 30000, 'a room that throws us out at once is not hammered');
  backoff.succeeded(10_000);
  assert.equal(backoff.next(60_000, 1), 1000);
});

test('a pause is never less than half of its length', () => {
  assert.equal(new Backoff().next(0, 0), 500);
});

test('only what cannot pass is final', () => {
  assert.equal(failureOf(new RequestRefused('denied')), 'denied');
  assert.equal(failureOf(new JoinError('service-unavailable')), 'room-full');
  assert.equal(failureOf(new JoinError('forbidden')), 'removed');
  assert.equal(failureOf(new JoinError('timeout')), undefined);
  assert.equal(failureOf(new Error('network')), undefined);
});

const occupant = (id: string, codecs: string[] = []): Occupant => ({
  id, realJid: '', name: id, audioMuted: false, videoMuted: false, videoType: 'camera', screens: [], screenAudio: [], codecs, moderator: false,
});

test('participants keep their order and the time they came', () => {
  const roster = new Roster(() => undefined);
  assert.equal(roster.put(occupant('ann'), 1), true);
  assert.equal(roster.put(occupant('ben'), 2), true);
  assert.equal(roster.put({ ...occupant('ann'), audioMuted: true }, 3), false);
  assert.deepEqual(roster.participants().map((p) => [p.id, p.joinedAt, p.audioMuted]), [['ann', 1, true], ['ben', 2, false]]);
  roster.remove('ann');
  assert.deepEqual(roster.participants().map((p) => p.id), ['ben']);
});

test('what the bridge says of strangers is not kept', () => {
  const roster = new Roster(() => undefined);
  roster.setActive('ghost', false);
  roster.put(occupant('ghost'), 0);
  assert.equal(roster.participant('ghost')!.active, true);
  roster.setActive('ghost', false);
  assert.equal(roster.participant('ghost')!.active, false);
});

test('the codec is one that everybody can decode', () => {
  const roster = new Roster(() => undefined);
  assert.equal(roster.commonCodec(), 'vp8');
  roster.put(occupant('ann', ['h264', 'vp9']), 0);
  assert.equal(roster.commonCodec(), 'vp9');
  roster.put(occupant('ben', ['h264']), 0);
  assert.equal(roster.commonCodec(), 'h264');
  roster.put(occupant('eva', ['av1']), 0);
  assert.equal(roster.commonCodec(), 'vp8', 'nothing in common: what every browser has');
});
