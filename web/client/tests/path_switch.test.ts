import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DirectState } from '../src/conference/direct';
import { PathSwitch } from '../src/conference/path_switch';
import type { MediaSession } from '../src/conference/session';

/** A session of which only this is asked: whether it sends. */
class Session {
  isSuspended = false;
  suspend(on: boolean): void {
    this.isSuspended = on;
  }
}

test('a call is direct from end to end only while nothing of ours goes over the bridge', async (context) => {
  const due: (() => void)[] = [];
  context.mock.method(globalThis, 'setTimeout', (act: () => void) => due.push(act));
  let bridge = new Session();
  let state: DirectState = 'none';
  const direct = new Session();
  const paths = new PathSwitch({
    bridge: () => bridge as unknown as MediaSession,
    direct: () => direct as unknown as MediaSession,
    directState: () => state,
    awaited: () => [],
    releaseDirect: () => undefined,
  });
  const told: boolean[] = [];
  paths.on('sealed', (on) => told.push(on));
  const enough = async () => {
    await new Promise((resolve) => setImmediate(resolve));
    due.splice(0).forEach((act) => act());
  };
  state = 'up';
  paths.update();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([paths.path, bridge.isSuspended, paths.sealed], ['direct', false, false]);
  await enough();
  assert.deepEqual([paths.path, bridge.isSuspended, paths.sealed], ['direct', true, true]);
  // The bridge's session is made anew, and sends at first.
  bridge = new Session();
  paths.update();
  assert.equal(paths.sealed, false);
  await enough();
  assert.deepEqual([bridge.isSuspended, paths.sealed], [true, true]);
  paths.update();
  assert.equal(paths.sealed, true);
  // A third one comes: they hear us before we hear anybody over the bridge.
  state = 'leaving';
  paths.update();
  assert.deepEqual([paths.path, bridge.isSuspended, paths.sealed], ['direct', false, false]);
  await enough();
  assert.deepEqual([paths.path, paths.sealed], ['bridge', false]);
  assert.deepEqual(told, [true, false, true, false]);
  paths.close();
});
