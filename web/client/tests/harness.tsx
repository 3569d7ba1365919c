/** Not shipped: shows the call page with made-up people, to look at layouts. `?n=5&chat=1`. */
import { render } from 'preact';
import '../src/ui/style.css';
import { CallPage } from '../src/ui/call';
import { conferenceState, dialog, dominantSpeaker, media, messages, participants, room, setChatOpen, microphone, camera, type Dialog } from '../src/ui/state';

const NAMES = ['Ada Lovelace', 'Björk', 'Chinua Achebe', 'Dmitri', 'Elif Şafak', 'Frida', 'Grace Hopper', '', 'Ines', 'Jean-Luc Godard', 'Kō'];

function picture(index: number): MediaStream {
  const canvas = document.createElement('canvas');
  canvas.width = 640;
  canvas.height = 360;
  const context = canvas.getContext('2d')!;
  const draw = () => {
    const gradient = context.createLinearGradient(0, 0, 640, 360);
    gradient.addColorStop(0, `hsl(${index * 47} 45% 62%)`);
    gradient.addColorStop(1, `hsl(${index * 47 + 60} 40% 30%)`);
    context.fillStyle = gradient;
    context.fillRect(0, 0, 640, 360);
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

const query = new URLSearchParams(location.search);
const count = Number(query.get('n') ?? 3);
room.value = 'tea-at-four';
conferenceState.value = (query.get('state') as 'joined' | null) ?? 'joined';
media.value = 'connected';
microphone.value = { enabled: true, muted: false, opening: false };
camera.value = { enabled: true, muted: false, opening: false, track: query.get('self') === '0' ? undefined : picture(11).getVideoTracks()[0] };
participants.value = Array.from({ length: count - 1 }, (_, i) => ({
  id: `person${i}`, name: NAMES[i % NAMES.length]!, joinedAt: i, audioMuted: i % 3 === 2, videoMuted: i % 4 === 3, videoType: 'camera' as const,
  video: i % 4 === 3 ? undefined : picture(i), forwarded: true, active: i !== 5,
}));
dominantSpeaker.value = 'person0';
messages.value = [
  { id: '1', from: 'person0', name: 'Ada Lovelace', text: 'Hello! The agenda: https://example.org/agenda', time: Date.now() - 400000, own: false },
  { id: '2', from: 'person0', name: 'Ada Lovelace', text: 'And tea.', time: Date.now() - 390000, own: false },
  { id: '3', from: 'me', name: '', text: 'Thank you, I have it. Shall we begin in two minutes, when Frida is here?', time: Date.now() - 60000, own: true },
];
if (query.has('chat')) setChatOpen(true);
dialog.value = (query.get('dialog') as Dialog | null) ?? 'none';
render(<CallPage />, document.getElementById('app')!);
