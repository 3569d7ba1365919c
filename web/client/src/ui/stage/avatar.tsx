/** Stands for a person without a picture: initials on a colour of their own. */

/** The same colour for the same person as long as the id stays. */
export function hue(id: string): number {
  return [...id].reduce((sum, c) => (sum * 31 + c.charCodeAt(0)) % 360, 7);
}

export function initials(name: string): string {
  const words = name.trim().split(/\s+/).filter(Boolean);
  const letters = [words[0], words.length > 1 ? words[words.length - 1] : undefined].map((w) => (w ? [...w][0] : ''));
  return letters.join('').toUpperCase();
}

export function Avatar({ id, name }: { id: string; name: string }) {
  return <span class="avatar" style={{ '--hue': String(hue(id)) }} aria-hidden="true">{initials(name)}</span>;
}
