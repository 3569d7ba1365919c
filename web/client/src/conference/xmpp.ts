/** The XMPP connection: WebSocket first, BOSH if that cannot be had, anonymous login. */
import { Strophe } from 'strophe.js';
import { Emitter } from './emitter';
import { StanzaError } from './errors';
import { elements, first, fromElement, toElement, xml, type Xml } from './xml';
import type { ConferenceConfig } from './config';

interface Events {
  presence: Xml;
  message: Xml;
  /** An IQ get or set; whoever takes it must answer through `reply` or `refuse`. */
  request: Xml;
  closed: void;
}

// Stanzas hold names and texts: they have no place in a console.
Strophe.setLogLevel(Strophe.LogLevel.FATAL);

const CONNECT_MS = 8_000;
const IQ_MS = 10_000;
const PING_INTERVAL_MS = 10_000;
const PING_MS = 5_000;
const PING_FAILURES = 2;
/** How often a BOSH request is repeated. */
const RETRIES = 5;
/** After sleep or in a new network there is little patience. */
const PROBE_MS = 2_000;

export class XmppConnection extends Emitter<Events> {
  private readonly strophe: InstanceType<typeof Strophe.Connection>;
  private pinger: ReturnType<typeof setInterval> | undefined;
  private failures = 0;
  private connected = false;
  private handled = false;

  /** `services` is the address to ask which servers help to reach others. */
  private constructor(service: string, readonly domain: string, readonly services: string) {
    super();
    this.strophe = new Strophe.Connection(service);
  }

  /**
   * Connects and logs in; rejects if neither transport works.  `stream` is a new name that nobody can
   * guess; the connection that was opened as `replaces` is ended, should the server still hold it.
   */
  static async open(config: ConferenceConfig, stream: string, replaces?: string): Promise<XmppConnection> {
    let failure: unknown = new Error('config.js names no XMPP transport');
    for (const service of [config.websocket, config.bosh]) {
      if (!service) continue;
      const url = new URL(service);
      if (service === config.websocket) url.searchParams.set('stream', stream);
      if (replaces) url.searchParams.set('replaces', replaces);
      const connection = new XmppConnection(url.href, config.loginDomain, config.domain);
      try {
        await connection.login();
        return connection;
      } catch (error) {
        failure = error;
        connection.close();
      }
    }
    throw failure;
  }

  get jid(): string {
    return this.strophe.jid;
  }

  private login(): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('no answer from the server')), CONNECT_MS);
      // With BOSH a request that failed is sent again after 8 s: who logs in tries anew sooner.
      this.strophe.maxRetries = 0;
      this.strophe.connect(this.domain, '', (status: number) => {
        const { CONNECTED, AUTHFAIL, CONNFAIL, ERROR, DISCONNECTED } = Strophe.Status;
        if (status === CONNECTED) {
          clearTimeout(timer);
          this.connected = true;
          this.strophe.maxRetries = RETRIES;
          this.listen();
          resolve();
        } else if (status === AUTHFAIL || status === CONNFAIL || status === ERROR || status === DISCONNECTED) {
          clearTimeout(timer);
          reject(new Error('the connection was refused'));
          this.ended();
        }
      });
    });
  }

  private listen(): void {
    const on = (name: string, handle: (stanza: Xml) => void) =>
      this.strophe.addHandler((element: Element) => {
        this.failures = 0;
        try {
          handle(fromElement(element));
        } catch (error) {
          // Strophe drops a handler that throws; one odd stanza must not make us deaf.
          console.error('stanza not understood:', error);
        }
        return true;
      }, null, name, null);
    on('presence', (stanza) => this.emit('presence', stanza));
    on('message', (stanza) => this.emit('message', stanza));
    on('iq', (stanza) => {
      if (stanza.attrs.type === 'get' || stanza.attrs.type === 'set') this.handleRequest(stanza);
    });
    this.pinger = setInterval(() => void this.ping(), PING_INTERVAL_MS);
  }

  private handleRequest(stanza: Xml): void {
    this.handled = false;
    this.emit('request', stanza);
    if (!this.handled) this.refuse(stanza, 'cancel', 'service-unavailable');
  }

  /** Ends the connection if the server does not answer soon: after sleep, or in a new network.  Resolves when that is known. */
  async probe(patience = PROBE_MS): Promise<void> {
    if (!this.connected) return;
    this.failures = PING_FAILURES - 1;
    await this.ping(patience);
  }

  private async ping(patience = PING_MS): Promise<void> {
    const iq = xml('iq', { type: 'get', to: this.domain }, xml('ping', { xmlns: 'urn:xmpp:ping' }));
    try {
      await this.request(iq, patience);
      this.failures = 0;
    } catch (error) {
      // An error is an answer too.
      if (error instanceof StanzaError && error.condition !== 'timeout') {
        this.failures = 0;
        return;
      }
      if (++this.failures >= PING_FAILURES) this.close();
    }
  }

  send(stanza: Xml): void {
    if (this.connected) this.strophe.send(toElement(withClientNamespace(stanza)));
  }

  /** Sends an IQ and waits for its result; rejects with `StanzaError`. */
  request(iq: Xml, timeout = IQ_MS): Promise<Xml> {
    return new Promise((resolve, reject) => {
      if (!this.connected) {
        reject(new StanzaError('timeout'));
        return;
      }
      this.strophe.sendIQ(
        toElement(withClientNamespace(iq)),
        (answer: Element) => resolve(fromElement(answer)),
        (answer: Element | null) => reject(errorOf(answer ? fromElement(answer) : undefined)),
        timeout,
      );
    });
  }

  reply(request: Xml, ...children: Xml[]): void {
    this.handled = true;
    this.send(xml('iq', { type: 'result', id: request.attrs.id, to: request.attrs.from }, ...children));
  }

  refuse(request: Xml, type: string, condition: string, extra?: Xml): void {
    this.handled = true;
    this.send(xml('iq', { type: 'error', id: request.attrs.id, to: request.attrs.from },
      xml('error', { type }, xml(condition, { xmlns: 'urn:ietf:params:xml:ns:xmpp-stanzas' }), extra)));
  }

  /** Ends the connection; what was sent before still goes out. */
  close(): void {
    this.strophe.flush();
    this.strophe.disconnect('');
    this.ended();
  }

  private ended(): void {
    clearInterval(this.pinger);
    if (!this.connected) return;
    this.connected = false;
    this.emit('closed', undefined);
  }
}

function withClientNamespace(stanza: Xml): Xml {
  return { ...stanza, attrs: { xmlns: 'jabber:client', ...stanza.attrs } };
}

/** The error that a stanza of type error carries; undefined stands for no answer in time. */
export function errorOf(stanza: Xml | undefined): StanzaError {
  const error = first(stanza, 'error');
  if (!stanza || !error) return new StanzaError('timeout', stanza);
  const condition = elements(error).find((e) => e.name !== 'text')?.name ?? 'undefined-condition';
  return new StanzaError(condition, stanza);
}
