/** Whether a path still carries anything: asked when the network may be another one. */
import type { MediaSession } from './session';

/** Where media came a moment ago, so long without any is no pause of speech: sound and reports are sent all the time. */
const FLOWING_MS = 1_500;
/** Consent checks come every few seconds even where no media flows (RFC 7675, 5.1). */
const RESTING_MS = 3_500;
const LOOK_MS = 250;

/** True if nothing at all comes for a while from now on; `flowing` says that media did until now. */
export async function fellSilent(session: MediaSession, flowing: boolean): Promise<boolean> {
  const before = await received(session, flowing);
  if (before === undefined) return false; // This browser does not count answers: its own verdict comes later.
  const patience = flowing ? FLOWING_MS : RESTING_MS;
  for (let waited = 0; waited < patience; waited += LOOK_MS) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    if (((await received(session, flowing)) ?? Infinity) > before) return false;
  }
  return true;
}

/** A number that grows with whatever comes in: media, or answers to consent checks, which not every browser counts. */
async function received(session: MediaSession, flowing: boolean): Promise<number | undefined> {
  let sum: number | undefined;
  (await session.pc.getStats()).forEach((report: { type: string; bytesReceived?: number; responsesReceived?: number }) => {
    if (report.type !== 'candidate-pair' || (!flowing && report.responsesReceived === undefined)) return;
    sum = (sum ?? 0) + (report.bytesReceived ?? 0) + (report.responsesReceived ?? 0);
  });
  return sum;
}
