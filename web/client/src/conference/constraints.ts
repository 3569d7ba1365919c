/** What we ask others to send: no more than the page can show. */
import type { View } from './types';

/** Heights that senders have layers for. */
const STEPS = [180, 360, 720, 1080, 2160] as const;

/** The smallest step that fills `pixels` without visible blur. */
export function heightFor(pixels: number): number {
  return STEPS.find((step) => step >= pixels * 0.8) ?? STEPS[STEPS.length - 1]!;
}

/** The height wanted of each source that is shown. */
export function wantedHeights(view: View): ReadonlyMap<string, number> {
  return new Map(view.audioOnly ? [] : [...view.sizes].map(([source, pixels]) => [source, heightFor(pixels)]));
}

export interface ReceiverConstraints extends Record<string, unknown> {
  readonly lastN: number;
  readonly onStageSources: readonly string[];
  readonly selectedSources: readonly string[];
  readonly defaultConstraints: { readonly maxHeight: number };
  readonly constraints: Readonly<Record<string, { maxHeight: number }>>;
}

/** Fields of `ReceiverVideoConstraints`; after the stage the dominant speaker comes first when bandwidth is short. */
export function receiverConstraints(view: View, speaker: string | undefined): ReceiverConstraints {
  const heights = wantedHeights(view);
  return {
    lastN: view.audioOnly ? 0 : -1,
    onStageSources: view.onStage.filter((source) => heights.has(source)),
    selectedSources: speaker !== undefined && heights.has(speaker) && !view.onStage.includes(speaker) ? [speaker] : [],
    // Who is not shown is not sent; who comes gets a tile first, and with it a size.
    defaultConstraints: { maxHeight: 0 },
    constraints: Object.fromEntries([...heights].map(([source, maxHeight]) => [source, { maxHeight }])),
  };
}
