/** How tiles fill a window best. */

export interface Grid {
  readonly columns: number;
  readonly rows: number;
  readonly width: number;
  readonly height: number;
}

/** Tiles may be cropped between these shapes (width by height). */
const WIDEST = 16 / 9;
const NARROWEST = 3 / 4;

/** The grid for `count` tiles in a box that shows the most picture. */
export function bestGrid(count: number, width: number, height: number, gap: number): Grid {
  let best: Grid = { columns: 1, rows: Math.max(1, count), width: 0, height: 0 };
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
      best = { columns, rows, width: Math.floor(tileWidth), height: Math.floor(tileHeight) };
    }
  }
  return best;
}
