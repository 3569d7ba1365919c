/**
 * QR codes (ISO/IEC 18004), as much as a link needs: byte mode, error correction M, versions 1 to 10
 * (213 bytes).
 */

/** Per version, error correction M: codewords of correction in each block, and blocks by data codewords. */
const BLOCKS: readonly { readonly correction: number; readonly data: readonly number[] }[] = [
  { correction: 10, data: [16] },
  { correction: 16, data: [28] },
  { correction: 26, data: [44] },
  { correction: 18, data: [32, 32] },
  { correction: 24, data: [43, 43] },
  { correction: 16, data: [27, 27, 27, 27] },
  { correction: 18, data: [31, 31, 31, 31] },
  { correction: 22, data: [38, 38, 39, 39] },
  { correction: 22, data: [36, 36, 36, 37, 37] },
  { correction: 26, data: [43, 43, 43, 43, 44] },
];
/** Centres of the alignment patterns, by version. */
const ALIGNMENT: readonly (readonly number[])[] = [[], [6, 18], [6, 22], [6, 26], [6, 30], [6, 34], [6, 22, 38], [6, 24, 42], [6, 26, 46], [6, 28, 50]];

// GF(256) with the polynomial of the standard, 0x11d.
const EXP = new Uint8Array(512);
const LOG = new Uint8Array(256);
for (let i = 0, x = 1; i < 255; i++) {
  EXP[i] = EXP[i + 255] = x;
  LOG[x] = i;
  x = (x << 1) ^ (x & 0x80 ? 0x11d : 0);
}

function multiply(a: number, b: number): number {
  return a && b ? EXP[LOG[a]! + LOG[b]!]! : 0;
}

/** The Reed-Solomon remainder: `count` codewords of correction for `data`. */
export function correction(data: readonly number[], count: number): number[] {
  let generator = [1];
  for (let i = 0; i < count; i++) {
    const next = [...generator, 0];
    generator.forEach((factor, at) => (next[at + 1]! ^= multiply(factor, EXP[i]!)));
    generator = next;
  }
  const rest = [...data, ...new Array<number>(count).fill(0)];
  for (let i = 0; i < data.length; i++) {
    const lead = rest[i]!;
    generator.forEach((factor, at) => (rest[i + at]! ^= multiply(factor, lead)));
  }
  return rest.slice(data.length);
}

/** Rows of modules, true is dark, without the quiet zone. Raises `RangeError` for a text that is too long. */
export function qrCode(text: string): boolean[][] {
  const bytes = [...new TextEncoder().encode(text)];
  const at = BLOCKS.findIndex(({ data }, index) => bytes.length + (index < 9 ? 2 : 3) <= sum(data));
  if (at < 0) throw new RangeError('too long for this code');
  const grid = new Grid(at + 1);
  grid.fill(codewords(bytes, at + 1));
  return grid.masked();
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}

/** The message as codewords of data and correction, interleaved (7.6). */
function codewords(bytes: readonly number[], version: number): number[] {
  const { correction: count, data } = BLOCKS[version - 1]!;
  const bits: number[] = [];
  const push = (value: number, length: number) => {
    for (let i = length - 1; i >= 0; i--) bits.push((value >> i) & 1);
  };
  push(4, 4); // Byte mode.
  push(bytes.length, version < 10 ? 8 : 16);
  bytes.forEach((byte) => push(byte, 8));
  const capacity = 8 * sum(data);
  push(0, Math.min(4, capacity - bits.length));
  while (bits.length % 8) bits.push(0);
  for (let pad = 0xec; bits.length < capacity; pad ^= 0xec ^ 0x11) push(pad, 8);
  const words = Array.from({ length: capacity / 8 }, (_, i) => bits.slice(8 * i, 8 * i + 8).reduce((word, bit) => 2 * word + bit, 0));
  let from = 0;
  const blocks = data.map((length) => words.slice(from, (from += length)));
  const corrections = blocks.map((block) => correction(block, count));
  const interleave = (lists: readonly number[][]) =>
    Array.from({ length: Math.max(...lists.map((list) => list.length)) }, (_, i) => lists.flatMap((list) => (i < list.length ? [list[i]!] : []))).flat();
  return [...interleave(blocks), ...interleave(corrections)];
}

const MASKS: readonly ((row: number, column: number) => boolean)[] = [
  (r, c) => (r + c) % 2 === 0,
  (r) => r % 2 === 0,
  (_, c) => c % 3 === 0,
  (r, c) => (r + c) % 3 === 0,
  (r, c) => (Math.floor(r / 2) + Math.floor(c / 3)) % 2 === 0,
  (r, c) => ((r * c) % 2) + ((r * c) % 3) === 0,
  (r, c) => (((r * c) % 2) + ((r * c) % 3)) % 2 === 0,
  (r, c) => (((r + c) % 2) + ((r * c) % 3)) % 2 === 0,
];

class Grid {
  private readonly size: number;
  private readonly dark: boolean[][];
  /** Modules that are not for data. */
  private readonly fixed: boolean[][];

  constructor(private readonly version: number) {
    this.size = 17 + 4 * version;
    this.dark = Array.from({ length: this.size }, () => new Array<boolean>(this.size).fill(false));
    this.fixed = Array.from({ length: this.size }, () => new Array<boolean>(this.size).fill(false));
    this.drawPatterns();
  }

  private set(row: number, column: number, dark: boolean): void {
    if (row < 0 || column < 0 || row >= this.size || column >= this.size) return;
    this.dark[row]![column] = dark;
    this.fixed[row]![column] = true;
  }

  private drawPatterns(): void {
    const last = this.size - 1;
    for (let i = 0; i < this.size; i++) {
      this.set(6, i, i % 2 === 0);
      this.set(i, 6, i % 2 === 0);
    }
    for (const [row, column] of [[3, 3], [3, last - 3], [last - 3, 3]] as const) {
      for (let r = -4; r <= 4; r++) {
        for (let c = -4; c <= 4; c++) {
          const ring = Math.max(Math.abs(r), Math.abs(c));
          this.set(row + r, column + c, ring !== 2 && ring !== 4);
        }
      }
    }
    const centres = ALIGNMENT[this.version - 1]!;
    for (const row of centres) {
      for (const column of centres) {
        const corner = (row === 6 && (column === 6 || column === last - 6)) || (row === last - 6 && column === 6);
        if (corner) continue;
        for (let r = -2; r <= 2; r++) {
          for (let c = -2; c <= 2; c++) this.set(row + r, column + c, Math.max(Math.abs(r), Math.abs(c)) !== 1);
        }
      }
    }
    this.drawFormat(0);
    if (this.version >= 7) this.drawVersion();
  }

  /** 15 bits beside the finders (7.9): error correction M is 00. */
  private drawFormat(mask: number): void {
    let rest = mask;
    for (let i = 0; i < 10; i++) rest = (rest << 1) ^ (rest & 0x200 ? 0x537 : 0);
    const bits = ((mask << 10) | rest) ^ 0x5412;
    const bit = (i: number) => ((bits >> i) & 1) === 1;
    const last = this.size - 1;
    for (let i = 0; i < 15; i++) {
      const near = i < 6 ? i : i < 8 ? i + 1 : -1;
      if (near >= 0) this.set(near, 8, bit(i));
      else this.set(8, i === 8 ? 7 : 14 - i, bit(i));
      if (i < 8) this.set(8, last - i, bit(i));
      else this.set(last - 14 + i, 8, bit(i));
    }
    this.set(last - 7, 8, true);
  }

  /** 18 bits (7.10). */
  private drawVersion(): void {
    let rest = this.version;
    for (let i = 0; i < 12; i++) rest = (rest << 1) ^ (rest & 0x800 ? 0x1f25 : 0);
    const bits = (this.version << 12) | rest;
    for (let i = 0; i < 18; i++) {
      const [a, b] = [this.size - 11 + (i % 3), Math.floor(i / 3)];
      this.set(a, b, ((bits >> i) & 1) === 1);
      this.set(b, a, ((bits >> i) & 1) === 1);
    }
  }

  /** Codewords in the zigzag of 7.7.3. */
  fill(words: readonly number[]): void {
    let bit = 0;
    for (let right = this.size - 1; right >= 1; right -= 2) {
      if (right === 6) right = 5;
      for (let step = 0; step < this.size; step++) {
        const upward = ((right + 1) & 2) === 0;
        const row = upward ? this.size - 1 - step : step;
        for (const column of [right, right - 1]) {
          if (this.fixed[row]![column]) continue;
          this.dark[row]![column] = bit < 8 * words.length && ((words[bit >> 3]! >> (7 - (bit & 7))) & 1) === 1;
          bit++;
        }
      }
    }
  }

  /** The grid under the mask with the least penalty (7.8.3). */
  masked(): boolean[][] {
    let best: boolean[][] = this.dark;
    let least = Infinity;
    MASKS.forEach((mask, number) => {
      this.drawFormat(number);
      const grid = this.dark.map((row, r) => row.map((dark, c) => (this.fixed[r]![c] ? dark : dark !== mask(r, c))));
      const cost = penalty(grid);
      if (cost < least) [best, least] = [grid, cost];
    });
    return best;
  }
}

const FINDER = ['10111010000', '00001011101'];

function penalty(grid: readonly (readonly boolean[])[]): number {
  const size = grid.length;
  const columns = grid.map((_, c) => grid.map((row) => row[c]!));
  let cost = 0;
  for (const line of [...grid, ...columns]) {
    const text = line.map((dark) => (dark ? '1' : '0')).join('');
    for (const run of text.match(/0{5,}|1{5,}/g) ?? []) cost += run.length - 2;
    for (const pattern of FINDER) {
      for (let at = text.indexOf(pattern); at >= 0; at = text.indexOf(pattern, at + 1)) cost += 40;
    }
  }
  for (let r = 0; r + 1 < size; r++) {
    for (let c = 0; c + 1 < size; c++) {
      const one = grid[r]![c];
      if (grid[r]![c + 1] === one && grid[r + 1]![c] === one && grid[r + 1]![c + 1] === one) cost += 3;
    }
  }
  const dark = sum(grid.map((row) => row.filter(Boolean).length));
  return cost + 10 * Math.floor(Math.abs((20 * dark) / (size * size) - 10));
}

/** The path of an SVG whose unit is one module, with the quiet zone of four around. */
export function qrPath(text: string): { path: string; size: number } {
  const grid = qrCode(text);
  const path = grid.flatMap((row, r) => row.map((dark, c) => (dark ? `M${c + 4} ${r + 4}h1v1h-1z` : ''))).join('');
  return { path, size: grid.length + 8 };
}
