/** Short tones, made here: nothing to download. */

function tones(frequencies: readonly number[]): void {
  const context = new AudioContext();
  const length = 0.12;
  frequencies.forEach((frequency, index) => {
    const oscillator = new OscillatorNode(context, { frequency, type: 'sine' });
    const gain = new GainNode(context, { gain: 0 });
    const begin = context.currentTime + index * length;
    gain.gain.setValueAtTime(0, begin);
    gain.gain.linearRampToValueAtTime(0.08, begin + 0.02);
    gain.gain.linearRampToValueAtTime(0, begin + length);
    oscillator.connect(gain).connect(context.destination);
    oscillator.start(begin);
    oscillator.stop(begin + length);
  });
  setTimeout(() => void context.close(), 1000 * (length * frequencies.length + 0.2));
}

export function playJoin(): void {
  tones([523, 784]);
}

export function playLeave(): void {
  tones([784, 523]);
}

/** Somebody wants something: a knock at the lobby, a hand, a message. */
export function playNotice(): void {
  tones([659]);
}

/** How long `playTest` sounds. */
export const TEST_MS = 1_000;

/** Something to listen for before the call. */
export function playTest(): void {
  tones([523, 659, 784, 1047, 784, 659, 523]);
}
