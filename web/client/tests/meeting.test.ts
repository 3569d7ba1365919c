import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LocalMedia } from '../src/conference/devices';
import { Own } from '../src/conference/own';
import type { ScreenCapture } from '../src/conference/screen';
import { StanzaError, RequestRefused } from '../src/conference/errors';
import { Emitter } from '../src/conference/emitter';
import { afterError } from '../src/conference/focus_request';
import { knock, LobbyWatch } from '../src/conference/lobby';
import { applyPoll, type Poll } from '../src/conference/polls';
import { readSettings } from '../src/conference/room_settings';
import { moderated, OPEN, readSpeakerTimes } from '../src/conference/services';
import { first, text, xml, type Xml } from '../src/conference/xml';
import type { XmppConnection } from '../src/conference/xmpp';

const USER = 'http://jabber.org/protocol/muc#user';
const NICK = 'http://jabber.org/protocol/nick';

/** The far side of a connection: what was sent, and a way to say something. */
class Wire extends Emitter<{ presence: Xml; message: Xml }> {
  readonly sent: Xml[] = [];
  send(stanza: Xml): void {
    this.sent.push(stanza);
  }
  hear(kind: 'presence' | 'message', attrs: Record<string, string>, ...children: Xml[]): void {
    this.emit(kind, xml(kind, attrs, ...children));
  }
}

const visit = (wire: Wire) => ({ xmpp: wire as unknown as XmppConnection, room: 'r@muc', lobby: 'r@focus', nick: 'me' });
const refusal = (condition: string, ...extra: Xml[]) => new StanzaError(condition, xml('iq', {}, xml('error', {}, xml(condition), ...extra)));

function knocking(password?: string) {
  const wire = new Wire();
  const abort = new AbortController();
  let waits = 0;
  const outcome = knock(visit(wire), 'Ann', password, abort.signal, () => waits++);
  return { wire, abort, outcome, waits: () => waits };
}

test('who knocks waits, and comes in with the password that the invitation brings', async () => {
  const { wire, outcome, waits } = knocking();
  assert.equal(wire.sent[0]!.attrs.to, 'r@focus/me');
  assert.equal(text(first(wire.sent[0], 'nick', NICK)), 'Ann');
  wire.hear('presence', { from: 'r@focus/me' }, xml('x', { xmlns: USER }, xml('status', { code: 110 })));
  assert.equal(waits(), 1);
  wire.hear('message', { from: 'evil@muc' }, xml('x', { xmlns: USER }, xml('invite')));
  wire.hear('message', { from: 'r@muc' }, xml('x', { xmlns: USER }, xml('invite', { from: 'm' }), xml('password', {}, 'pw')));
  assert.deepEqual(await outcome, { how: 'admitted', password: 'pw' });
});

test('the lobby refuses, ends, or is opened', async () => {
  const cases: [Xml[], object][] = [
    [[xml('status', { code: 307 }), xml('status', { code: 110 })], { how: 'denied' }],
    [[xml('destroy', { jid: 'r@muc' })], { how: 'admitted' }],
    [[xml('destroy')], { how: 'ended' }],
  ];
  for (const [children, wanted] of cases) {
    const { wire, outcome } = knocking();
    wire.hear('presence', { from: 'r@focus/me', type: 'unavailable' }, xml('x', { xmlns: USER }, ...children));
    assert.deepEqual(await outcome, wanted);
  }
});

test('an error of the lobby and a change of mind end the knock', async () => {
  const refused = knocking();
  refused.wire.hear('presence', { from: 'r@focus/me', type: 'error' }, xml('error', {}, xml('not-allowed')));
  await assert.rejects(refused.outcome, { condition: 'not-allowed' });
  const gone = knocking();
  gone.abort.abort();
  await assert.rejects(gone.outcome, { condition: 'closed' });
  assert.equal(gone.wire.sent.at(-1)!.attrs.type, 'unavailable');
});

test('a moderator sees who waits and lets them in by their whole address', () => {
  const wire = new Wire();
  const watch = new LobbyWatch(visit(wire));
  let seen: readonly { id: string; name: string }[] = [];
  watch.on('changed', (visitors) => (seen = visitors));
  const waits = (id: string, name: string) => wire.hear('presence', { from: `r@focus/${id}` }, xml('x', { xmlns: USER }, xml('item', { jid: `${id}@guest/x` })), xml('nick', { xmlns: NICK }, name));
  waits('me', 'myself');
  waits('a', 'Ann');
  waits('b', 'Ben');
  wire.hear('presence', { from: 'other@focus/c' }, xml('x', { xmlns: USER }));
  assert.deepEqual(seen.map((one) => one.name), ['Ann', 'Ben']);
  watch.admit('a');
  assert.equal(first(first(wire.sent.at(-1), 'x', USER), 'invite')!.attrs.to, 'a@guest/x');
  wire.hear('presence', { from: 'r@focus/a', type: 'unavailable' });
  assert.deepEqual(seen.map((one) => one.name), ['Ben']);
  for (let i = 0; i < 500; i++) waits(`n${i}`, 'x');
  assert.equal(seen.length, 200, 'no list without end');
});

test('what the errors of a request mean', () => {
  const credentials = () => ({ machineUid: '', sessionId: 's' as string | undefined, invite: 'i' as string | undefined });
  const own = credentials();
  assert.equal(afterError(refusal('not-authorized'), own), 'host');
  assert.equal(afterError(refusal('not-acceptable', xml('session-invalid')), own), 'again');
  assert.equal(own.sessionId, undefined, 'a session that is over is forgotten');
  assert.equal(afterError(refusal('not-acceptable', xml('session-invalid')), own), 'later', 'and not asked about for ever');
  assert.equal(afterError(refusal('not-acceptable', xml('invitation')), own), 'again');
  assert.equal(own.invite, undefined);
  const refused = (error: StanzaError) => (afterError(error, credentials()) as RequestRefused).reason;
  assert.equal(refused(refusal('forbidden', xml('removed'))), 'removed');
  assert.equal(refused(refusal('forbidden')), 'not-authorized');
  assert.equal(refused(refusal('service-unavailable', xml('full'))), 'room-full');
  assert.equal(refused(refusal('resource-constraint', xml('overloaded'))), 'overloaded');
  assert.equal(afterError(refusal('resource-constraint'), own), 'later', 'too many empty rooms of one address');
  assert.equal(afterError(refusal('service-unavailable'), own), 'later');
  assert.equal(afterError(new StanzaError('timeout'), own), 'later');
});

test('polls: opened once, votes change, strangers\' shapes do nothing', () => {
  const opened = applyPoll([], { command: 'new-poll', pollId: 'p', question: 'Tea?', senderId: 'ann', answers: [{ name: 'yes' }, { name: 'no' }] });
  assert.equal(applyPoll(opened, { command: 'new-poll', pollId: 'p', question: 'again', answers: [{ name: 'x' }] }), opened);
  const votes = (polls: readonly Poll[]) => polls[0]!.options.map((option) => [...option.voters]);
  let polls = applyPoll(opened, { command: 'answer-poll', pollId: 'p', senderId: 'ben', answers: [true, false] });
  assert.deepEqual(votes(polls), [['ben'], []]);
  polls = applyPoll(polls, { command: 'answer-poll', pollId: 'p', senderId: 'ben', answers: [false, true] });
  assert.deepEqual(votes(polls), [[], ['ben']]);
  for (const odd of [{}, { command: 'new-poll' }, { command: 'answer-poll', pollId: 'p', answers: [true] }, { command: 'old-polls', polls: [null, 7] }]) {
    assert.equal(applyPoll(polls, odd).length, 1);
  }
  const old = applyPoll([], { command: 'old-polls', polls: [{ id: 'q', question: 'When?', answers: [{ name: 'now', voters: ['ann'] }] }] });
  assert.deepEqual([...old[0]!.options[0]!.voters], ['ann']);
  let many: readonly Poll[] = [];
  for (let i = 0; i < 200; i++) many = applyPoll(many, { command: 'new-poll', pollId: String(i), question: '?', answers: [{ name: 'x' }] });
  assert.equal(many.length, 128);
});

test('A/V moderation: restricted, allowed, approved', () => {
  let state = moderated(OPEN, { enabled: true, mediaType: 'audio' });
  assert.deepEqual([...state.restricted], ['audio']);
  state = moderated(state, { approved: true, mediaType: 'audio' });
  assert.deepEqual([...state.approved], ['audio']);
  state = moderated(state, { whitelists: { audio: ['r@muc/ann', 7] }, mediaType: 'audio' });
  assert.deepEqual([...state.allowed.get('audio')!], ['ann', '']);
  assert.deepEqual([...moderated(state, { removed: true, mediaType: 'audio' }).approved], []);
  state = moderated(state, { enabled: false, mediaType: 'audio' });
  assert.deepEqual([[...state.restricted], [...state.approved], state.allowed.size], [[], [], 0]);
  assert.equal(moderated(state, { enabled: true, mediaType: 'smell' }), state);
});

test('room settings and speaking times are read with defaults', () => {
  assert.deepEqual(readSettings({}).access, 'open');
  const settings = readSettings({ room: { access: 'lobby', password: true, maxParticipants: 20, created: -1 }, startMuted: { audio: true } });
  assert.deepEqual([settings.access, settings.password, settings.maxParticipants, settings.created, settings.startAudioMuted, settings.lobby], ['lobby', true, 20, 0, true, true]);
  assert.equal(readSettings({ lobbyEnabled: true }).access, 'lobby');
  assert.deepEqual(readSpeakerTimes({ ann: { displayName: 'Ann', totalDominantSpeakerTime: 2500 }, ben: null, eva: { totalDominantSpeakerTime: 'x' } }), [{ id: 'ann', name: 'Ann', seconds: 2.5 }]);
});

test('who shares a screen sends a picture, whatever the camera does', () => {
  const screen = { on: () => undefined, video: undefined as object | undefined, audio: undefined };
  const own = new Own({ muted: () => true } as unknown as LocalMedia, screen as unknown as ScreenCapture);
  assert.deepEqual([own.sends('audio'), own.sends('video')], [false, false]);
  screen.video = {};
  assert.deepEqual([own.sends('audio'), own.sends('video')], [false, true]);
});
