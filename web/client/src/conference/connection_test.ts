/**
 * Tries the way of the media before a call: two silent visitors of a room that nobody else knows,
 * both of this page, meet through the bridge.
 */
import { Conference } from './conference';
import type { ConferenceConfig } from './config';
import { LocalMedia } from './devices';
import { randomHex } from './ids';

export type ConnectionResult =
  | { readonly kind: 'good'; readonly milliseconds: number }
  /** The server answers, the bridge is not reached; the server does not answer; a member must come first. */
  | { readonly kind: 'blocked' | 'unreachable' | 'host' };

const WAIT_MS = 15_000;

export async function testConnection(config: ConferenceConfig): Promise<ConnectionResult> {
  const room = `test-${randomHex(8)}`;
  const visitors = [0, 1].map(() => {
    const local = new LocalMedia();
    void local.setEnabled('audio', false);
    void local.setEnabled('video', false);
    const visitor = new Conference(config, room, local);
    visitor.allowDirect(false); // It is the bridge that is tried.
    return visitor;
  });
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    return await new Promise<ConnectionResult>((resolve) => {
      const connected = new Set<Conference>();
      const joined = () => visitors.some((one) => one.timings.roomJoined !== undefined);
      timer = setTimeout(() => resolve({ kind: joined() ? 'blocked' : 'unreachable' }), WAIT_MS);
      for (const visitor of visitors) {
        visitor.on('state', ({ state, waiting }) => {
          if (state === 'waiting' && waiting === 'host') resolve({ kind: 'host' });
          else if (state === 'failed' || state === 'reconnecting') resolve({ kind: joined() ? 'blocked' : 'unreachable' });
        });
        visitor.on('media', (media) => media === 'connected' && connected.add(visitor));
        // On a very short way the time there and back is told as nothing.
        visitor.on('statistics', ({ roundTrip }) => {
          if (connected.size === visitors.length) resolve({ kind: 'good', milliseconds: Math.max(1, Math.round(1000 * roundTrip)) });
        });
        visitor.join('');
      }
    });
  } finally {
    clearTimeout(timer);
    visitors.forEach((one) => one.leave());
  }
}
