/** The room as it is reached now: both are other ones after a reconnect, and media goes on. */
import type { Room } from './room';
import type { XmppConnection } from './xmpp';

export interface Link {
  xmpp: XmppConnection;
  room: Room;
}
