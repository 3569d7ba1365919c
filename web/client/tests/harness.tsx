/**
 * Not shipped: shows the pages with made-up people, to look at layouts and to check accessibility.
 * `?n=5&panel=chat&names=odd&upright=1&lang=ar&theme=dark`, `?page=left&failure=room-full`, `?page=prejoin&problem=denied`.
 */
import { render } from 'preact';
import '../src/ui/styles/index.css';
import type { DeviceProblem, FailureReason } from '../src/conference';
import { toast } from '../src/ui/announce';
import { CallPage } from '../src/ui/call';
import { chooseLanguage } from '../src/ui/i18n';
import { reporting } from '../src/ui/reporting';
import { LeftPage } from '../src/ui/left';
import { PrejoinPage } from '../src/ui/prejoin';
import { room } from '../src/ui/route';
import { change } from '../src/ui/settings';
import { WaitingPage } from '../src/ui/waiting';
import { StartPage } from '../src/ui/start';
import { breakouts, handUp, isModerator, lobby, moderation, polls, react, roomSettings, speakerTimes, subject } from '../src/ui/meeting';
import { camera, conferenceState, dialog, dominantSpeaker, failure, media, messages, microphone, participants, path, showPanel, statistics, waitingFor, type Dialog, type Panel } from '../src/ui/state';
import { comparing, inspect } from '../src/ui/stage/inspected';
import { mode, pins } from '../src/ui/stage/view';
import { followTheme } from '../src/ui/theme';

const query = new URLSearchParams(location.search);
const NAMES = ['Ada Lovelace', 'Björk', 'Chinua Achebe', 'Dmitri', 'Elif Şafak', 'Frida', 'Grace Hopper', '', 'Ines', 'Jean-Luc Godard', 'Kō'];

const ODD = ['Maximiliane-Alexandra von und zu Guttenberg-Hohenzollern-Sigmaringen', 'مريم العبدالله', '👩‍👩‍👧‍👦 the 🏳️‍🌈 family', '李小龍', '<b>bold</b> & co'];

function picture(index: number): MediaStream {
  const canvas = document.createElement('canvas');
  const upright = query.has('upright') && index % 2 === 0;
  canvas.width = 640;
  canvas.height = upright ? 1138 : 360;
  const context = canvas.getContext('2d')!;
  const draw = () => {
    const gradient = context.createLinearGradient(0, 0, 640, 360);
    gradient.addColorStop(0, `hsl(${index * 47} 45% 62%)`);
    gradient.addColorStop(1, `hsl(${index * 47 + 60} 40% 30%)`);
    context.fillStyle = gradient;
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.fillStyle = '#fff8';
    context.beginPath();
    context.arc(320, 150, 60, 0, 7);
    context.ellipse(320, 340, 130, 120, 0, 0, 7);
    context.fill();
  };
  draw();
  setInterval(draw, 200);
  return canvas.captureStream(5);
}

const count = Number(query.get('n') ?? 3);
const problem = (query.get('problem') as DeviceProblem | null) ?? undefined;
const names = query.has('names') ? ODD : NAMES;
room.value = 'tea-at-four';
failure.value = (query.get('failure') as FailureReason | null) ?? undefined;
if (query.has('recent')) change({ keepRecent: true, recent: ['tea-at-four', 'brisk-heron-merry-lotus-38', 'a-room-with-a-name-so-long-that-it-does-not-fit'] });
conferenceState.value = (query.get('state') as 'joined' | null) ?? 'joined';
media.value = (query.get('media') as 'connected' | null) ?? 'connected';
microphone.value = { enabled: true, muted: problem !== undefined, opening: false, problem };
camera.value = { enabled: true, muted: problem !== undefined, opening: false, problem, track: query.get('self') === '0' || problem ? undefined : picture(11).getVideoTracks()[0] };
participants.value = Array.from({ length: count - 1 }, (_, i) => ({
  id: `person${i}`, name: names[i % names.length]!, joinedAt: i, audioMuted: i % 3 === 2, videoMuted: i % 4 === 3, videoType: 'camera' as const,
  video: i % 4 === 3 ? undefined : picture(i), forwarded: true, active: i !== 5, screens: [], screenAudio: [],
  moderator: i === 1, raisedHand: query.has('hands') && i % 3 === 0 ? 1000 - i : undefined,
}));
const shares = Number(query.get('shares') ?? 0);
participants.value = participants.value.map((p, i) => (i < shares ? { ...p, screens: [{ source: `${p.id}-v1`, stream: picture(20 + i) }] } : p));
dominantSpeaker.value = 'person0';
path.value = (query.get('path') as 'direct' | null) ?? 'bridge';
if (query.has('relayed')) {
  statistics.value = {
    path: path.value, remote: new Map(), screens: new Map(), sendBitrate: 0, receiveBitrate: 0, roundTrip: 0.04, lossFraction: 0, framesEncoded: 1,
    sendHeight: 360, ownAudioLevel: 0, relayed: true, protocol: 'udp',
  };
}
if (query.has('inspect')) inspect('person0');
if (query.has('compare')) comparing.value = true;
messages.value = [
  { id: '1', from: 'person0', name: 'Ada Lovelace', text: 'Hello! The agenda: https://example.org/agenda', time: Date.now() - 400000, own: false },
  { id: '2', from: 'person0', name: 'Ada Lovelace', text: 'And tea.', time: Date.now() - 390000, own: false },
  { id: '3', from: 'me', name: '', text: 'Thank you, I have it. Shall we begin in two minutes, when Frida is here?', time: Date.now() - 60000, own: true },
];
messages.value = [...messages.value,
  { id: '4', from: 'person1', name: 'Björk', text: 'Only for you: https://example.org.', time: Date.now() - 30000, own: false, privateWith: 'me' },
  { id: '5', from: 'person0', name: 'Ada Lovelace', text: 'Yes, two minutes.', time: Date.now() - 20000, own: false, replyTo: '3' },
];
if (query.has('moderator')) isModerator.value = true;
if (query.has('hands')) handUp.value = true;
if (query.has('lobby')) lobby.value = [{ id: 'v1', name: 'Noor', realJid: '' }, { id: 'v2', name: 'Ōe Kenzaburō', realJid: '' }].slice(0, Number(query.get('lobby')));
if (query.has('restricted')) moderation.value = { restricted: new Set(['audio']), approved: new Set(), allowed: new Map() };
roomSettings.value = { access: 'lobby', password: true, waitForHost: false, maxParticipants: 0, startAudioMuted: false, startVideoMuted: false, lobby: true, created: Date.now() - 754_000 };
subject.value = query.get('topic') ?? '';
if (query.has('breakouts')) {
  const people = (...names: string[]) => names.map((name) => ({ jid: '', name }));
  breakouts.value = [
    { id: query.get('breakouts') === 'in' ? 'main' : room.value, jid: '', name: '', main: true, people: people('Ada Lovelace', 'Björk') },
    { id: query.get('breakouts') === 'in' ? room.value : 'b1', jid: '', name: 'Kitchen', main: false, people: people('Chinua Achebe', 'Dmitri', 'Elif Şafak') },
    { id: 'b2', jid: '', name: 'Garden', main: false, people: [] },
  ];
}
if (query.has('report')) reporting.value = 'person0';
speakerTimes.value = [{ id: 'person0', name: 'Ada', seconds: 192 }, { id: 'person1', name: 'Björk', seconds: 75 }, { id: 'gone', name: 'Zoë', seconds: 12 }];
polls.value = [
  { id: 'p1', question: 'Tea or coffee?', from: 'person0', options: [{ text: 'Tea', voters: new Set(['', 'person0', 'person1']) }, { text: 'Coffee', voters: new Set(['person2']) }] },
  { id: 'p2', question: 'When do we meet again?', from: 'person1', options: [{ text: 'Tuesday', voters: new Set() }, { text: 'Thursday', voters: new Set() }] },
];
waitingFor.value = (query.get('waiting') as 'host' | null) ?? undefined;
if (query.has('panel')) showPanel(query.get('panel') as Panel);
dialog.value = (query.get('dialog') as Dialog | null) ?? 'none';
if (query.has('theme')) change({ theme: query.get('theme')! });
if (query.has('reactions')) (['like', 'love', 'clap'] as const).forEach(react);
if (query.has('toast')) toast(query.get('toast')!);
const Page = { start: StartPage, prejoin: PrejoinPage, left: LeftPage, waiting: WaitingPage, call: CallPage }[query.get('page') ?? 'call'] ?? CallPage;
followTheme();
void chooseLanguage(query.get('lang') ?? 'en').then(() => {
  render(<Page />, document.getElementById('app')!);
  // Once the stage is there, which begins with tiles.
  setTimeout(() => {
    mode.value = (query.get('mode') as 'speaker' | null) ?? 'tiles';
    pins.value = query.get('pins')?.split(',') ?? [];
  });
});
