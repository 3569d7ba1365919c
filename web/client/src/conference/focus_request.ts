/** The conference request: asks the focus to be in the room before we enter (over HTTP or IQ). */
import type { ConferenceConfig } from './config';
import { RequestRefused, StanzaError } from './errors';
import { randomHex } from './ids';
import { first, xml, type Xml } from './xml';
import type { XmppConnection } from './xmpp';

export interface FocusAnswer {
  /** Bare JID of the focus: the only real JID believed behind the nickname `focus`. */
  readonly focusJid: string;
}

const FOCUS_NS = 'http://jitsi.org/protocol/focus';
const MAX_WAIT_MS = 30_000;
const HTTP_MS = 10_000;

interface Reply {
  readonly ready: boolean;
  readonly focusJid?: string;
}

/**
 * Asks until the focus is ready.  The HTTP form starts at once, the IQ as soon as there is a
 * connection; the first useful answer counts.
 */
export async function requestConference(
  config: ConferenceConfig, room: string, connection: Promise<XmppConnection>, signal: AbortSignal,
): Promise<FocusAnswer> {
  const machine = randomHex(16);
  for (let wait = 1_000; !signal.aborted; wait = Math.min(2 * wait, MAX_WAIT_MS)) {
    let reply: Reply | undefined;
    try {
      reply = await Promise.any([
        ...(config.conferenceRequest ? [overHttp(config.conferenceRequest, room, machine)] : []),
        connection.then((c) => overXmpp(c, config.focus, room, machine)),
      ]);
    } catch (error) {
      const refused = error instanceof AggregateError && error.errors.find((e) => e instanceof RequestRefused);
      if (refused) throw refused;
      await connection; // Without a connection there is nothing to wait for: let its error out.
    }
    if (reply?.ready && reply.focusJid) return { focusJid: reply.focusJid };
    await pause(wait, signal);
  }
  throw new Error('aborted');
}

/** Waits, or less if it is called off. */
function pause(wait: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, wait);
    signal.addEventListener('abort', end);
  });
}

async function overHttp(url: string, room: string, machineUid: string): Promise<Reply> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ room, machineUid, properties: {} }),
    signal: AbortSignal.timeout(HTTP_MS),
  });
  if (response.status === 403) throw new RequestRefused('not-authorized');
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  const reply = (await response.json()) as { ready?: unknown; focusJid?: unknown };
  return { ready: reply.ready === true, focusJid: typeof reply.focusJid === 'string' ? reply.focusJid : undefined };
}

async function overXmpp(connection: XmppConnection, focus: string, room: string, machine: string): Promise<Reply> {
  const iq = xml('iq', { type: 'set', to: focus }, xml('conference', { xmlns: FOCUS_NS, room, 'machine-uid': machine }));
  let result: Xml;
  try {
    result = await connection.request(iq);
  } catch (error) {
    if (error instanceof StanzaError && error.condition === 'not-authorized') throw new RequestRefused('not-authorized');
    throw error;
  }
  const conference = first(result, 'conference', FOCUS_NS);
  return { ready: conference?.attrs.ready === 'true', focusJid: conference?.attrs.focusjid };
}
