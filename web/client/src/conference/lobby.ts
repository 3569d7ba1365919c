/**
 * The lobby: a room of the focus before the room (`room@focus`), where one waits to be let in.
 * Who waits sees nobody; moderators see all who wait.
 */
import { Emitter } from './emitter';
import { JoinError, StanzaError } from './errors';
import { errorCondition, readName, statusCodes } from './presence';
import { first, text, xml, type Xml } from './xml';
import type { XmppConnection } from './xmpp';

const MUC = 'http://jabber.org/protocol/muc';
const NICK = 'http://jabber.org/protocol/nick';
const KNOCK_MS = 15_000;
/** More who wait are not listed; nobody reads longer lists. */
const MAX_WAITING = 200;

/** How waiting ended: come in (perhaps with this password), or not. */
export type Outcome = { readonly how: 'admitted'; readonly password?: string } | { readonly how: 'denied' | 'ended' };

interface Visit {
  readonly xmpp: XmppConnection;
  /** Bare JID of the room, and of its lobby. */
  readonly room: string;
  readonly lobby: string;
  readonly nick: string;
}

/**
 * Knocks and waits.  `waiting` is called once the lobby took us in.  Rejects with `JoinError` if it
 * does not; an aborted signal says goodbye and rejects too.
 */
export function knock(visit: Visit, name: string, password: string | undefined, signal: AbortSignal, waiting: () => void): Promise<Outcome> {
  const { xmpp, room, lobby, nick } = visit;
  const address = `${lobby}/${nick}`;
  return new Promise((resolve, reject) => {
    const stop: (() => void)[] = [];
    const timer = setTimeout(() => end(() => reject(new JoinError('timeout'))), KNOCK_MS);
    const end = (settle: () => void) => {
      clearTimeout(timer);
      stop.forEach((f) => f());
      signal.removeEventListener('abort', goodbye);
      settle();
    };
    const goodbye = () => {
      xmpp.send(xml('presence', { to: address, type: 'unavailable' }));
      end(() => reject(new JoinError('closed')));
    };
    signal.addEventListener('abort', goodbye);
    stop.push(xmpp.on('presence', (presence) => {
      if (presence.attrs.from !== address && !(presence.attrs.type === 'error' && presence.attrs.from === lobby)) return;
      if (presence.attrs.type === 'error') end(() => reject(new JoinError(errorCondition(presence))));
      else if (presence.attrs.type === 'unavailable') {
        const outcome = outcomeOf(presence);
        if (outcome) end(() => resolve(outcome));
      }
      else if (!presence.attrs.type) {
        clearTimeout(timer);
        waiting();
      }
    }));
    stop.push(xmpp.on('message', (message) => {
      if (message.attrs.from !== room) return;
      const x = first(message, 'x', `${MUC}#user`);
      if (!first(x, 'invite')) return;
      xmpp.send(xml('presence', { to: address, type: 'unavailable' }));
      end(() => resolve({ how: 'admitted', password: text(first(x, 'password')) || undefined }));
    }));
    xmpp.send(xml('presence', { to: address },
      xml('x', { xmlns: MUC }, password ? xml('password', {}, password) : undefined), xml('nick', { xmlns: NICK }, name)));
  });
}

/** What a farewell of the lobby means; undefined for one that the invitation follows. */
function outcomeOf(presence: Xml): Outcome | undefined {
  const destroy = first(first(presence, 'x', `${MUC}#user`), 'destroy');
  if (destroy) return destroy.attrs.jid ? { how: 'admitted' } : { how: 'ended' };
  return statusCodes(presence).has('307') ? { how: 'denied' } : undefined;
}

export interface Visitor {
  /** The nickname in the lobby. */
  readonly id: string;
  readonly name: string;
  readonly realJid: string;
}

interface Events {
  changed: readonly Visitor[];
}

/** A moderator's eye on the lobby. */
export class LobbyWatch extends Emitter<Events> {
  private readonly visitors = new Map<string, Visitor>();
  private readonly stop: () => void;

  constructor(private readonly visit: Visit) {
    super();
    const { xmpp, lobby, nick } = visit;
    this.stop = xmpp.on('presence', (presence) => this.onPresence(presence));
    xmpp.send(xml('presence', { to: `${lobby}/${nick}` }, xml('x', { xmlns: MUC })));
  }

  close(): void {
    const { xmpp, lobby, nick } = this.visit;
    this.stop();
    xmpp.send(xml('presence', { to: `${lobby}/${nick}`, type: 'unavailable' }));
    this.visitors.clear();
    this.publish();
  }

  admit(id: string): void {
    const visitor = this.visitors.get(id);
    if (!visitor) return;
    const { xmpp, room } = this.visit;
    xmpp.send(xml('message', { to: room },
      xml('x', { xmlns: `${MUC}#user` }, xml('invite', { to: visitor.realJid }))));
  }

  async deny(id: string): Promise<void> {
    const { xmpp, lobby } = this.visit;
    const item = xml('item', { nick: id, role: 'none' });
    try {
      await xmpp.request(xml('iq', { type: 'set', to: lobby }, xml('query', { xmlns: `${MUC}#admin` }, item)));
    } catch (error) {
      // Gone by themselves meanwhile.
      if (!(error instanceof StanzaError && error.condition === 'item-not-found')) throw error;
    }
  }

  private onPresence(presence: Xml): void {
    const from = presence.attrs.from ?? '';
    const { lobby, nick } = this.visit;
    if (!from.startsWith(`${lobby}/`)) return;
    const id = from.slice(lobby.length + 1);
    if (id === nick || statusCodes(presence).has('110')) return;
    if (presence.attrs.type === 'unavailable') this.visitors.delete(id);
    else if (!presence.attrs.type && (this.visitors.has(id) || this.visitors.size < MAX_WAITING)) {
      const realJid = first(first(presence, 'x', `${MUC}#user`), 'item')?.attrs.jid ?? '';
      this.visitors.set(id, { id, name: readName(text(first(presence, 'nick', NICK))), realJid });
    } else return;
    this.publish();
  }

  private publish(): void {
    this.emit('changed', [...this.visitors.values()]);
  }
}
