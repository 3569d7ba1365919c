/** What we ask the bridge to send: no more than the tiles can show. */
import { sourceName } from './ids';

/** Shown height of each participant's video in device pixels. */
export type TileSizes = ReadonlyMap<string, number>;

/** Heights that senders have layers for. */
const STEPS = [180, 360, 720, 1080, 2160] as const;

/** The smallest step that fills `pixels` without visible blur. */
export function heightFor(pixels: number): number {
  return STEPS.find((step) => step >= pixels * 0.8) ?? STEPS[STEPS.length - 1]!;
}

export interface ReceiverConstraints extends Record<string, unknown> {
  readonly lastN: number;
  readonly selectedSources: readonly string[];
  readonly defaultConstraints: { readonly maxHeight: number };
  readonly constraints: Readonly<Record<string, { maxHeight: number }>>;
}

/** Fields of `ReceiverVideoConstraints`; the dominant speaker comes first when bandwidth is short. */
export function receiverConstraints(sizes: TileSizes, speaker: string | undefined): ReceiverConstraints {
  const constraints: Record<string, { maxHeight: number }> = {};
  for (const [id, pixels] of sizes) constraints[sourceName(id, 'video')] = { maxHeight: heightFor(pixels) };
  return {
    lastN: -1,
    selectedSources: speaker !== undefined && sizes.has(speaker) ? [sourceName(speaker, 'video')] : [],
    // Somebody who has just come gets a small picture until his tile has a size.
    defaultConstraints: { maxHeight: 180 },
    constraints,
  };
}
