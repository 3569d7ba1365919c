/** The way into a room: the focus's leave, a password, the lobby. */
import type { ConferenceConfig } from './config';
import { JoinError, RequestRefused } from './errors';
import { requestConference, type Credentials } from './focus_request';
import { newEndpointId } from './ids';
import { knock } from './lobby';
import type { OwnPresence } from './presence';
import type { Room } from './room';
import type { FailureReason, Waiting } from './types';
import type { XmppConnection } from './xmpp';

/** What the lobby's own errors mean. */
const LOBBY_FAILURES: Readonly<Record<string, FailureReason>> = {
  'not-allowed': 'members-only', 'item-not-found': 'members-only', 'service-unavailable': 'members-only',
  forbidden: 'removed', 'resource-constraint': 'lobby-full',
};

export class Entrance {
  private password: string | undefined;
  /** Somebody waits for a password; called with it. */
  private given: (() => void) | undefined;

  /** `tell` is called with whom or what one waits for. */
  constructor(
    private readonly config: ConferenceConfig, private readonly roomJid: string, private readonly credentials: Credentials,
    private readonly tell: (waiting: Waiting) => void,
  ) {}

  /** The password of the room, while one waits for it or in the lobby. */
  givePassword(password: string): void {
    this.password = password;
    this.given?.();
  }

  /**
   * Resolves with the room once we are in it.  `open` makes the room for each attempt; it is closed
   * again if the attempt fails.
   */
  async pass(connection: Promise<XmppConnection>, open: (xmpp: XmppConnection, focusJid: string) => Room, own: () => OwnPresence, signal: AbortSignal): Promise<Room> {
    for (;;) {
      const answer = await requestConference(this.config, this.roomJid, connection, this.credentials, signal, () => this.tell('host'));
      const xmpp = await connection;
      if (signal.aborted) throw new JoinError('closed');
      const room = open(xmpp, answer.focusJid);
      try {
        await room.join(own(), answer.password ?? this.password);
        return room;
      } catch (error) {
        if (signal.aborted || !(error instanceof JoinError)) throw error;
        room.close();
        if (error.condition === 'not-authorized') await this.askPassword(signal);
        else if (error.condition === 'registration-required') await this.wait(xmpp, own().nick, signal);
        else throw error;
      }
    }
  }

  private async askPassword(signal: AbortSignal): Promise<void> {
    this.tell(this.password === undefined ? 'password' : 'wrong-password');
    await new Promise<void>((resolve, reject) => {
      this.given = resolve;
      signal.addEventListener('abort', () => reject(new JoinError('closed')));
    });
    this.given = undefined;
  }

  /** Until the lobby lets us in, or we know the password. */
  private async wait(xmpp: XmppConnection, name: string, signal: AbortSignal): Promise<void> {
    if (!this.config.lobbies) throw new RequestRefused('members-only');
    const leaving = new AbortController();
    const visit = { xmpp, room: this.roomJid, lobby: `${this.roomJid.split('@')[0]}@${this.config.lobbies}`, nick: newEndpointId() };
    let byPassword = false;
    this.given = () => {
      byPassword = true;
      leaving.abort();
    };
    const abort = () => leaving.abort();
    signal.addEventListener('abort', abort);
    try {
      const outcome = await knock(visit, name, this.password, leaving.signal, () => this.tell('lobby'));
      if (outcome.how !== 'admitted') throw new RequestRefused(outcome.how === 'denied' ? 'denied' : 'room-closed');
      this.password = outcome.password ?? this.password;
    } catch (error) {
      if (byPassword) return;
      if (error instanceof JoinError && error.condition === 'not-authorized') await this.askPassword(signal);
      else throw error instanceof JoinError && LOBBY_FAILURES[error.condition] ? new RequestRefused(LOBBY_FAILURES[error.condition]!) : error;
    } finally {
      this.given = undefined;
      signal.removeEventListener('abort', abort);
    }
  }
}
