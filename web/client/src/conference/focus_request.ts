/** The conference request: asks the focus to be in the room before we enter. */
import type { ConferenceConfig } from './config';
import { RequestRefused, StanzaError } from './errors';
import { all, first, xml, type Xml } from './xml';
import type { XmppConnection } from './xmpp';

/** By what the focus knows us again; held by the application. */
export interface Credentials {
  /** 32 hex digits; the same after a reconnect, so that roles and admission stay. */
  readonly machineUid: string;
  /** From signing in. */
  sessionId?: string;
  /** From the link. */
  invite?: string;
}

export interface FocusAnswer {
  /** Bare JID of the focus: the only real JID believed behind the nickname `focus`. */
  readonly focusJid: string;
  /** The room's, if we are entitled to it. */
  readonly password?: string;
}

const FOCUS_NS = 'http://jitsi.org/protocol/focus';
const MAX_WAIT_MS = 30_000;
/** How often a guest asks whether the host is there. */
const HOST_MS = 5_000;

/**
 * Asks until the focus is ready.  `waitingForHost` is called when it says that somebody else must
 * come first.  Raises `RequestRefused` where asking again would not help.
 */
export async function requestConference(
  config: ConferenceConfig, room: string, connection: Promise<XmppConnection>, credentials: Credentials,
  signal: AbortSignal, waitingForHost: () => void,
): Promise<FocusAnswer> {
  const xmpp = await connection;
  for (let wait = 1_000; !signal.aborted; wait = Math.min(2 * wait, MAX_WAIT_MS)) {
    try {
      const answer = await ask(xmpp, config.focus, room, credentials);
      if (answer) return answer;
    } catch (error) {
      if (!(error instanceof StanzaError)) throw error;
      const action = afterError(error, credentials);
      if (action === 'host') {
        waitingForHost();
        await pause(HOST_MS, signal);
        wait = 1_000;
        continue;
      }
      if (action === 'again') continue;
      if (action !== 'later') throw action;
    }
    await pause(wait, signal);
  }
  throw new Error('aborted');
}

/** What an error means.  Credentials that are no longer good are forgotten. */
export function afterError(error: StanzaError, credentials: Credentials): 'host' | 'again' | 'later' | RequestRefused {
  switch (error.condition) {
    case 'not-authorized':
      return 'host';
    case 'forbidden':
      return new RequestRefused(error.has('removed') ? 'removed' : 'not-authorized');
    case 'not-acceptable':
      if (error.has('session-invalid') && credentials.sessionId !== undefined) {
        credentials.sessionId = undefined;
        return 'again';
      }
      if (error.has('invitation') && credentials.invite !== undefined) {
        credentials.invite = undefined;
        return 'again';
      }
      return 'later';
    case 'service-unavailable':
      return error.has('full') ? new RequestRefused('room-full') : 'later';
    case 'resource-constraint':
      return error.has('overloaded') ? new RequestRefused('overloaded') : 'later';
    default:
      return 'later';
  }
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

async function ask(xmpp: XmppConnection, focus: string, room: string, credentials: Credentials): Promise<FocusAnswer | undefined> {
  const { machineUid, sessionId, invite } = credentials;
  const request = xml('conference', { xmlns: FOCUS_NS, room, 'machine-uid': machineUid, 'session-id': sessionId },
    invite === undefined ? undefined : xml('property', { name: 'invite', value: invite }));
  const conference = first(await xmpp.request(xml('iq', { type: 'set', to: focus }, request)), 'conference', FOCUS_NS);
  if (conference?.attrs['session-id']) credentials.sessionId = conference.attrs['session-id'];
  if (conference?.attrs.ready !== 'true' || !conference.attrs.focusjid) return undefined;
  return { focusJid: conference.attrs.focusjid, password: property(conference, 'password') };
}

function property(conference: Xml, name: string): string | undefined {
  return all(conference, 'property').find((one) => one.attrs.name === name)?.attrs.value;
}
