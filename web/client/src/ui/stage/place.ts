/** Where each tile stands, as a pure function of what is there and how large the window is. */
import type { Arrangement } from './arrange';
import { bestGrid, visibleRange } from './grid';

export interface Placement {
  /** The key of the item that stands here. */
  readonly item: string;
  /** Pixels from the start and the top of the stage's contents. */
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** Whether any of it is in the window; what is not needs no picture. */
  readonly seen: boolean;
  readonly large: boolean;
}

export interface Plan {
  readonly tiles: readonly Placement[];
  /** Larger than the window where tiles are scrolled to. */
  readonly contentHeight: number;
  /** How many there was no room for beside what is large. */
  readonly left: number;
}

export interface Box {
  readonly width: number;
  readonly height: number;
}

const GAP = 8;
/** Tiles are not made smaller than this to fit all: the rest is scrolled to. */
const SMALLEST = 112;
const STRIP_SHAPE = 16 / 9;
/** Under what is large on an upright phone there is room for more of these. */
const UPRIGHT_STRIP_SHAPE = 1;
const CORNER_SHAPE = 16 / 10;

export function place(arrangement: Arrangement, box: Box, scrollTop = 0): Plan {
  if (box.width <= 0 || box.height <= 0) return { tiles: [], contentHeight: 0, left: 0 };
  return arrangement.large.length ? beside(arrangement, box) : tiled(keys(arrangement.small), box, scrollTop);
}

function keys(items: Arrangement['small']): string[] {
  return items.map((item) => item.key);
}

function tiled(all: readonly string[], box: Box, scrollTop: number): Plan {
  const grid = bestGrid(all.length, box.width, box.height, GAP, SMALLEST);
  const contentHeight = grid.rows * grid.height + (grid.rows - 1) * GAP;
  const [from, to] = visibleRange(grid, GAP, scrollTop, box.height);
  const top = Math.max(0, Math.floor((box.height - contentHeight) / 2));
  const tiles = all.map((key, index): Placement => {
    const row = Math.floor(index / grid.columns);
    const inRow = Math.min(grid.columns, all.length - row * grid.columns);
    // A row that is not full stands in the middle, unless there is more to scroll to.
    const wide = (contentHeight > box.height ? grid.columns : inRow) * (grid.width + GAP) - GAP;
    return {
      item: key, width: grid.width, height: grid.height, large: false, seen: index >= from && index < to,
      x: Math.floor((box.width - wide) / 2) + (index % grid.columns) * (grid.width + GAP), y: top + row * (grid.height + GAP),
    };
  });
  return { tiles, contentHeight: Math.max(box.height, contentHeight), left: 0 };
}

function beside({ large, small }: Arrangement, box: Box): Plan {
  const across = box.width >= box.height;
  const thickness = small.length === 0 ? 0
    : across ? clamp(box.width * 0.17, 112, 240) : clamp(box.height * 0.14, 72, 140);
  const [stripWidth, stripHeight] = across ? [thickness, thickness / STRIP_SHAPE] : [thickness * UPRIGHT_STRIP_SHAPE, thickness];
  const main: Box = {
    width: box.width - (across && thickness ? thickness + GAP : 0), height: box.height - (!across && thickness ? thickness + GAP : 0),
  };
  const room = Math.max(1, Math.floor(((across ? box.height : box.width) + GAP) / ((across ? stripHeight : stripWidth) + GAP)));
  const shown = fitting(keys(small), thickness ? room : 0);
  const length = shown.length * ((across ? stripHeight : stripWidth) + GAP) - GAP;
  const start = Math.floor(((across ? box.height : box.width) - length) / 2);
  const strip = shown.map((key, index): Placement => {
    const along = Math.floor(start + index * ((across ? stripHeight : stripWidth) + GAP));
    return {
      item: key, seen: true, large: false, width: Math.floor(stripWidth), height: Math.floor(stripHeight),
      x: across ? Math.floor(main.width + GAP) : along, y: across ? along : Math.floor(main.height + GAP),
    };
  });
  // What is large is shown whole: its place may have any shape.
  const columns = large.length === 1 ? 1 : bestGrid(large.length, main.width, main.height, GAP).columns;
  const rows = Math.ceil(large.length / columns);
  const height = Math.floor((main.height - GAP * (rows - 1)) / rows);
  const tiles = keys(large).map((key, index): Placement => {
    const row = Math.floor(index / columns);
    const inRow = Math.min(columns, large.length - row * columns);
    const width = Math.floor((main.width - GAP * (inRow - 1)) / inRow);
    return { item: key, width, height, seen: true, large: true, x: (index - row * columns) * (width + GAP), y: row * (height + GAP) };
  });
  return { tiles: [...tiles, ...strip], contentHeight: box.height, left: small.length - shown.length };
}

/** The first that there is room for; the last, which is our own picture if it is shown, always. */
function fitting(all: readonly string[], room: number): readonly string[] {
  return all.length <= room ? all : [...all.slice(0, room - 1), ...all.slice(-1)].slice(0, room);
}

/** The size of our own picture in a corner. */
export function cornerSize(box: Box): Box {
  const portrait = box.height > box.width;
  const width = clamp(box.width * (portrait ? 0.26 : 0.18), 88, 240);
  return { width: Math.floor(width), height: Math.floor(portrait ? width * (4 / 3) : width / CORNER_SHAPE) };
}

function clamp(value: number, low: number, high: number): number {
  return Math.max(low, Math.min(high, value));
}
