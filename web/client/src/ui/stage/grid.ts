/** How tiles fill a window best. */

export interface Grid {
  readonly columns: number;
  readonly rows: number;
  readonly width: number;
  readonly height: number;
  /** Rows that are seen at once; the others are scrolled to. */
  readonly visibleRows: number;
}

/** Tiles may be cropped between these shapes (width by height). */
const WIDEST = 16 / 9;
const NARROWEST = 3 / 4;

/** The grid for `count` tiles in a box that shows the most picture, without a tile smaller than `smallest` pixels wide. */
export function bestGrid(count: number, width: number, height: number, gap: number, smallest = 0): Grid {
  let best: Grid = { columns: 1, rows: Math.max(1, count), width: 0, height: 0, visibleRows: Math.max(1, count) };
  let score = -1;
  for (let columns = 1; columns <= Math.max(1, count); columns++) {
    const rows = Math.ceil(count / columns) || 1;
    const cellWidth = (width - gap * (columns - 1)) / columns;
    const cellHeight = (height - gap * (rows - 1)) / rows;
    if (cellWidth <= 0 || cellHeight <= 0) continue;
    const tileWidth = Math.min(cellWidth, cellHeight * WIDEST);
    const tileHeight = Math.min(cellHeight, tileWidth / NARROWEST);
    // Of a 16:9 picture a narrow tile shows only the middle: size counts, and half as much what is cut off.
    const worth = tileWidth * tileHeight * Math.sqrt(tileWidth / (tileHeight * WIDEST));
    if (worth > score) {
      score = worth;
      best = { columns, rows, width: Math.floor(tileWidth), height: Math.floor(tileHeight), visibleRows: rows };
    }
  }
  return best.width < smallest && width > 0 && height > 0 ? scrolled(count, width, height, gap, smallest) : best;
}

/** As many columns as the smallest tiles allow, and whole rows of them in the window. */
function scrolled(count: number, width: number, height: number, gap: number, smallest: number): Grid {
  const columns = Math.max(1, Math.floor((width + gap) / (smallest + gap)));
  const tileWidth = Math.floor((width - gap * (columns - 1)) / columns);
  const usual = tileWidth / WIDEST;
  const visibleRows = Math.max(1, Math.round((height + gap) / (usual + gap)));
  const tileHeight = Math.floor(Math.min((height - gap * (visibleRows - 1)) / visibleRows, tileWidth / NARROWEST));
  return { columns, rows: Math.ceil(count / columns), width: tileWidth, height: tileHeight, visibleRows };
}

/** The first and the last but one index of the tiles that are seen after scrolling by `top` pixels. */
export function visibleRange(grid: Grid, gap: number, top: number, height: number): readonly [number, number] {
  const step = grid.height + gap;
  if (step <= gap) return [0, grid.columns * grid.rows];
  const first = Math.max(0, Math.floor((top + gap) / step));
  const last = Math.min(grid.rows, Math.max(first + 1, Math.ceil((top + height) / step)));
  return [first * grid.columns, last * grid.columns];
}
