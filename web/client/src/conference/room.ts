/** The text room (XEP-0045): who is there, chat, and the way to the focus. */
import { Emitter } from './emitter';
import { JoinError } from './errors';
import { newEndpointId, randomHex } from './ids';
import { departure, errorCondition, ownPresence, readLimits, readName, readOccupant, statusCodes, type Departure, type Occupant, type OwnPresence } from './presence';
import type { ChatMessage, Kind } from './types';
import { all, first, text, xml, type Xml } from './xml';
import type { XmppConnection } from './xmpp';

interface Events {
  occupant: Occupant;
  gone: { id: string; how: Departure };
  /** We are out: kicked, or the room is closed. */
  removed: Departure;
  focusGone: void;
  chat: ChatMessage;
  /** A message of ours did not arrive. */
  refused: { condition: string };
  /** Our own role. */
  moderator: boolean;
  subject: string;
}

const JOIN_MS = 15_000;
const MAX_TEXT = 4_000;
const MAX_SUBJECT = 200;
const MAX_OCCUPANTS = 1_000;
const MAX_ID = 128;
const MAX_SEEN = 1_000;
/** Stock clients name the message in `to` (not as XEP-0461 has it). */
const REPLY = 'urn:xmpp:reply:0';

export class Room extends Emitter<Events> {
  readonly id: string;
  readonly address: string;
  readonly focusAddress: string;
  private readonly occupants = new Map<string, Occupant>();
  /** Of what so much is sent that nobody else may begin to. */
  full: ReadonlySet<Kind> = new Set();
  private focusPresent = false;
  private joined = false;
  private isModerator = false;
  private said = '';
  /** Ids of messages, the newest last. */
  private readonly seen = new Set<string>();
  private settle: ((error?: JoinError) => void) | undefined;
  private readonly stop: (() => void)[];

  /** `before` is who we were in this room, and the session that we still have, if we do. */
  constructor(
    private readonly connection: XmppConnection, readonly jid: string, private readonly focusJid: string,
    private readonly before?: { readonly id: string; readonly sid?: string },
  ) {
    super();
    this.id = before?.id ?? newEndpointId();
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

  join(own: OwnPresence, password?: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.settle?.(new JoinError('timeout')), JOIN_MS);
      this.settle = (error) => {
        clearTimeout(timer);
        this.settle = undefined;
        if (error) reject(error);
        else resolve();
      };
      this.said = JSON.stringify(own);
      this.connection.send(ownPresence(this.address, this.id, own, { password, sid: this.before?.sid }));
    });
  }

  /** Tells the others what changed; says nothing twice. */
  update(own: OwnPresence): void {
    const said = JSON.stringify(own);
    if (!this.joined || said === this.said) return;
    this.said = said;
    this.connection.send(ownPresence(this.address, this.id, own));
  }

  /** Whether we are a moderator here. */
  get moderator(): boolean {
    return this.isModerator;
  }

  has(id: string): boolean {
    return this.occupants.has(id);
  }

  realJid(id: string): string | undefined {
    return this.occupants.get(id)?.realJid;
  }

  /** Writes to everybody, or to one; a private message comes back to nobody, so it is told as sent here. */
  sendChat(body: string, to?: string, replyTo?: string): void {
    const id = randomHex(8);
    const content = [xml('body', {}, body.slice(0, MAX_TEXT)), replyTo ? xml('reply', { xmlns: REPLY, to: replyTo }) : undefined];
    if (to === undefined) this.connection.send(xml('message', { to: this.jid, type: 'groupchat', id }, ...content));
    else {
      const x = xml('x', { xmlns: 'http://jabber.org/protocol/muc#user' });
      this.connection.send(xml('message', { to: `${this.jid}/${to}`, type: 'chat', id }, ...content, x));
      this.emit('chat', { id, from: this.id, name: '', text: body.slice(0, MAX_TEXT), time: Date.now(), own: true, privateWith: to, replyTo });
    }
  }

  setSubject(subject: string): void {
    this.connection.send(xml('message', { to: this.jid, type: 'groupchat' }, xml('subject', {}, subject.slice(0, MAX_SUBJECT))));
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
      this.settle?.(new JoinError(errorCondition(presence)));
      return;
    }
    const occupant = readOccupant(presence);
    const own = from === this.address;
    if (type === 'unavailable') this.onUnavailable(presence, occupant.id, own);
    else if (own) {
      this.isModerator = occupant.moderator;
      if (!this.joined) {
        this.joined = true;
        this.settle?.();
      }
      this.emit('moderator', this.isModerator);
    } else if (occupant.id === 'focus') {
      this.focusPresent = occupant.realJid.startsWith(`${this.focusJid}/`);
      if (this.focusPresent) this.full = readLimits(presence);
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
    const { type } = message.attrs;
    if (from !== this.jid && !from.startsWith(`${this.jid}/`)) return;
    if (type === 'error') this.emit('refused', { condition: errorCondition(message) });
    const subject = first(message, 'subject');
    const body = text(first(message, 'body'));
    if (type === 'groupchat' && subject && !body) {
      this.emit('subject', readName(text(subject).slice(0, MAX_SUBJECT)));
      return;
    }
    // The room itself speaks too, of its configuration; that is no chat.
    if ((type !== 'groupchat' && type !== 'chat') || !body || from === this.jid) return;
    const id = from.slice(this.jid.length + 1);
    const own = from === this.address;
    const stamp = Date.parse(all(message, 'delay', 'urn:xmpp:delay')[0]?.attrs.stamp ?? '');
    this.emit('chat', {
      id: this.messageId(message.attrs.id, own),
      from: id,
      name: this.occupants.get(id)?.name ?? '',
      text: body.slice(0, MAX_TEXT),
      time: Number.isNaN(stamp) ? Date.now() : stamp,
      own,
      privateWith: type === 'chat' ? id : undefined,
      replyTo: first(message, 'reply')?.attrs.to?.slice(0, MAX_ID),
    });
  }

  /** The sender's id if it is one and new; it may be anything, and the same one twice. */
  private messageId(id: string | undefined, own: boolean): string {
    const fit = id && id.length <= MAX_ID && (own || !this.seen.has(id)) ? id : randomHex(8);
    this.seen.add(fit);
    if (this.seen.size > MAX_SEEN) this.seen.delete(this.seen.values().next().value!);
    return fit;
  }
}
