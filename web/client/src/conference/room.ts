/** The text room (XEP-0045): who is there, chat, and the way to the focus. */
import { Emitter } from './emitter';
import { JoinError } from './errors';
import { newEndpointId, randomHex } from './ids';
import { departure, joinError, ownPresence, readOccupant, statusCodes, type Departure, type Occupant, type OwnPresence } from './presence';
import type { ChatMessage } from './types';
import { all, first, text, xml, type Xml } from './xml';
import type { XmppConnection } from './xmpp';

interface Events {
  occupant: Occupant;
  gone: { id: string; how: Departure };
  /** We are out: kicked, or the room is closed. */
  removed: Departure;
  focusGone: void;
  chat: ChatMessage;
}

const JOIN_MS = 15_000;
const MAX_TEXT = 4_000;
const MAX_OCCUPANTS = 1_000;

export class Room extends Emitter<Events> {
  readonly id = newEndpointId();
  readonly address: string;
  readonly focusAddress: string;
  private readonly occupants = new Map<string, Occupant>();
  private focusPresent = false;
  private joined = false;
  private said = '';
  private settle: ((error?: JoinError) => void) | undefined;
  private readonly stop: (() => void)[];

  constructor(private readonly connection: XmppConnection, readonly jid: string, private readonly focusJid: string) {
    super();
    this.address = `${jid}/${this.id}`;
    this.focusAddress = `${jid}/focus`;
    this.stop = [
      connection.on('presence', (p) => this.onPresence(p)),
      connection.on('message', (m) => this.onMessage(m)),
    ];
  }

  /** Whether an IQ comes from the focus whose real JID the conference request named. */
  isFocus(from: string | undefined): boolean {
    return from === this.focusAddress && this.focusPresent;
  }

  join(own: OwnPresence): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.settle?.(new JoinError('timeout')), JOIN_MS);
      this.settle = (error) => {
        clearTimeout(timer);
        this.settle = undefined;
        if (error) reject(error);
        else resolve();
      };
      this.said = JSON.stringify(own);
      this.connection.send(ownPresence(this.address, this.id, own, true));
    });
  }

  /** Tells the others what changed; says nothing twice. */
  update(own: OwnPresence): void {
    const said = JSON.stringify(own);
    if (!this.joined || said === this.said) return;
    this.said = said;
    this.connection.send(ownPresence(this.address, this.id, own, false));
  }

  sendChat(body: string): void {
    const id = randomHex(8);
    this.connection.send(xml('message', { to: this.jid, type: 'groupchat', id }, xml('body', {}, body.slice(0, MAX_TEXT))));
  }

  /** Says goodbye and listens no more. */
  leave(): void {
    this.connection.send(xml('presence', { to: this.address, type: 'unavailable' }));
    this.close();
  }

  close(): void {
    this.settle?.(new JoinError('closed'));
    this.joined = false;
    this.stop.forEach((f) => f());
  }

  private onPresence(presence: Xml): void {
    const from = presence.attrs.from ?? '';
    if (!from.startsWith(`${this.jid}/`) && from !== this.jid) return;
    const type = presence.attrs.type;
    if (type === 'error') {
      this.settle?.(new JoinError(joinError(presence)));
      return;
    }
    const occupant = readOccupant(presence);
    const own = from === this.address;
    if (type === 'unavailable') this.onUnavailable(presence, occupant.id, own);
    else if (own) {
      if (!this.joined) {
        this.joined = true;
        this.settle?.();
      }
    } else if (occupant.id === 'focus') {
      this.focusPresent = occupant.realJid.startsWith(`${this.focusJid}/`);
    } else if (!type && (this.occupants.has(occupant.id) || this.occupants.size < MAX_OCCUPANTS)) {
      this.occupants.set(occupant.id, occupant);
      this.emit('occupant', occupant);
    }
  }

  private onUnavailable(presence: Xml, id: string, own: boolean): void {
    const how = departure(presence);
    if (own || statusCodes(presence).has('110')) {
      if (this.joined) this.emit('removed', how);
    } else if (id === 'focus') {
      this.focusPresent = false;
      this.emit('focusGone', undefined);
    } else if (this.occupants.delete(id)) this.emit('gone', { id, how });
  }

  private onMessage(message: Xml): void {
    const from = message.attrs.from ?? '';
    const body = text(first(message, 'body'));
    if (message.attrs.type !== 'groupchat' || !body || !from.startsWith(`${this.jid}/`)) return;
    const id = from.slice(this.jid.length + 1);
    const stamp = Date.parse(all(message, 'delay', 'urn:xmpp:delay')[0]?.attrs.stamp ?? '');
    this.emit('chat', {
      // The sender's own id may be anything, the same one twice too.
      id: randomHex(8),
      from: id,
      name: this.occupants.get(id)?.name ?? '',
      text: body.slice(0, MAX_TEXT),
      time: Number.isNaN(stamp) ? Date.now() : stamp,
      own: from === this.address,
    });
  }
}
