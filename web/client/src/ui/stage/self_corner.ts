/** The corners that our own picture may be in. */

export const CORNERS = {
  'bottom-end': { top: false, start: false },
  'bottom-start': { top: false, start: true },
  'top-start': { top: true, start: true },
  'top-end': { top: true, start: false },
} as const;

export type Corner = keyof typeof CORNERS;
const ORDER = Object.keys(CORNERS) as Corner[];

export function nearestCorner(top: boolean, start: boolean): Corner {
  return ORDER.find((corner) => CORNERS[corner].top === top && CORNERS[corner].start === start)!;
}

export function nextCorner(corner: string): Corner {
  return ORDER[(ORDER.indexOf(corner as Corner) + 1) % ORDER.length]!;
}
