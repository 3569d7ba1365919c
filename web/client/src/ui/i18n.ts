/** Every text a person reads or hears, in one place. */
import type { ConferenceState, DeviceProblem, FailureReason, Kind } from '../conference';

export const t = {
  product: 'xmppconf',
  start: {
    heading: 'Open a room. Talk.',
    lead: 'Name a room, share its link, talk. No account, nothing recorded, nothing sent to anyone but this server.',
    label: 'Room name',
    placeholder: 'for example: tea-at-four',
    go: 'Continue',
    another: 'Suggest another name',
    suggestion: 'Or take a name that nobody will guess:',
    recent: 'Your recent rooms',
    recentNote: 'Kept in this browser only.',
    recentEmpty: 'Rooms you have been in will be listed here. The list stays in this browser.',
    forget: (room: string) => `Forget ${room}`,
    forgetAll: 'Forget all',
    licences: 'JavaScript licences',
    free: 'Free software, AGPL 3 or later',
    invalid: 'A room name needs at least one letter or digit.',
  },
  prejoin: {
    heading: 'Ready?',
    name: 'Your name',
    namePlaceholder: 'What others will read',
    join: 'Join now',
    joinSilently: 'Join without camera and microphone',
    preview: 'Your camera',
    cameraOff: 'Your camera is off',
    level: 'Microphone level',
    camera: 'Camera',
    microphone: 'Microphone',
    defaultDevice: 'Default',
    opening: 'Opening your devices…',
    back: 'Back',
  },
  problem: (kind: Kind, problem: DeviceProblem): string => {
    const device = kind === 'audio' ? 'microphone' : 'camera';
    switch (problem) {
      case 'none-found':
        return kind === 'audio' ? 'No microphone was found. You can listen and write all the same.' : 'No camera was found. Others will see your name.';
      case 'denied':
        return `This page may not use your ${device}. Allow it with the icon in the address bar, then turn it on again.`;
      case 'in-use':
        return `Your ${device} is used by another program. Close that program, then turn it on again.`;
      case 'insecure':
        return `Browsers give the ${device} to secure pages only. Open this page over https.`;
      default:
        return `Your ${device} could not be opened.`;
    }
  },
  call: {
    you: 'You',
    guest: 'Guest',
    alone: 'You are the only one here.',
    share: 'Send this link to those you want to meet:',
    joined: (name: string) => `${name} joined`,
    left: (name: string) => `${name} left`,
    connecting: 'connecting…',
    weak: 'connection lost',
    sound: 'Your browser holds back the sound.',
    playSound: 'Play sound',
    tile: (name: string, muted: boolean, speaking: boolean) =>
      [name, muted && 'microphone off', speaking && 'speaking'].filter(Boolean).join(', '),
    grid: 'Participants',
  },
  toolbar: {
    label: 'Call controls',
    mute: 'Mute microphone',
    unmute: 'Unmute microphone',
    cameraOff: 'Turn camera off',
    cameraOn: 'Turn camera on',
    chat: 'Chat',
    unread: (count: number) => `${count} unread`,
    copy: 'Copy link',
    copied: 'Link copied',
    settings: 'Settings',
    fullscreen: 'Full screen',
    exitFullscreen: 'Leave full screen',
    help: 'Keyboard shortcuts',
    leave: 'Leave',
  },
  chat: {
    heading: 'Chat',
    close: 'Close chat',
    placeholder: 'Write to everybody',
    send: 'Send',
    empty: 'Nothing written yet. Messages go to all who are here now and are not kept.',
    from: (name: string) => `Message from ${name}`,
  },
  settings: {
    heading: 'Settings',
    name: 'Your name',
    sound: 'Play a sound when somebody joins or leaves',
    pushToTalk: 'Hold Space to talk while muted',
    close: 'Close',
  },
  help: {
    heading: 'Keyboard shortcuts',
    rows: [
      ['M', 'Microphone on or off'],
      ['V', 'Camera on or off'],
      ['C', 'Chat'],
      ['F', 'Full screen'],
      ['Space', 'Talk while held down'],
      ['?', 'This list'],
      ['Esc', 'Close what is open'],
    ] as const,
  },
  state: {
    connecting: 'Connecting…',
    reconnecting: 'No connection to the server. Trying again…',
    mediaLost: 'Sound and picture are interrupted. Repairing…',
    retry: 'Try now',
  } satisfies Partial<Record<ConferenceState | 'mediaLost' | 'retry', string>>,
  failure: (reason: FailureReason | undefined): string => {
    switch (reason) {
      case 'not-authorized':
        return 'This room opens for members only. Ask a member to open it, then try again.';
      case 'room-full':
        return 'This room is full.';
      case 'password-required':
        return 'This room has a password, and this client cannot ask for it yet.';
      case 'members-only':
        return 'Only invited people may enter this room.';
      case 'kicked':
        return 'You were removed from the room.';
      case 'room-closed':
        return 'The room was closed.';
      default:
        return 'The server could not be reached.';
    }
  },
  left: {
    heading: 'You left the room.',
    failed: 'That did not work.',
    again: 'Return to the room',
    home: 'Go to the start page',
  },
} as const;
