/**
 * What can stand on the stage.  People's cameras and shared screens come from the conference; a
 * document, slides or a board come through `addStageItem`.
 */
import { signal } from '@preact/signals';
import type { ComponentChild } from 'preact';
import { sourceName } from '../../conference/ids';
import type { Participant } from '../../conference';

export interface StageItem {
  /** Unique, and the same as long as the thing is the same. */
  readonly key: string;
  readonly kind: 'person' | 'screen' | 'self' | 'own-screen' | 'extra';
  /** The endpoint id of whom it belongs to. */
  readonly owner?: string;
  /** The video source to ask for while it is seen. */
  readonly source?: string;
  /** Only of `extra`. */
  readonly extra?: StageExtra;
}

/** Something else than video, such as a document: it gets the large place until somebody pins another. */
export interface StageExtra {
  readonly key: string;
  readonly title: string;
  /** Its contents; they fill the place they get, from 160 by 90 pixels upwards. */
  readonly render: () => ComponentChild;
}

export const extras = signal<readonly StageExtra[]>([]);

/** Puts something on the stage; returns the function that takes it away. */
export function addStageItem(extra: StageExtra): () => void {
  extras.value = [...extras.value.filter((other) => other.key !== extra.key), extra];
  return () => (extras.value = extras.value.filter((other) => other !== extra));
}

export const SELF = 'self';
export const OWN_SCREEN = 'own-screen';

/** All there is to show, in the order of tiles: what is shared, then people as they came. */
export function stageItems(participants: readonly Participant[], shown: readonly StageExtra[], sharing: boolean): StageItem[] {
  return [
    ...shown.map((extra): StageItem => ({ key: `extra:${extra.key}`, kind: 'extra', extra })),
    ...participants.flatMap((p) => p.screens.map(({ source }): StageItem => ({ key: `screen:${source}`, kind: 'screen', owner: p.id, source }))),
    ...(sharing ? [{ key: OWN_SCREEN, kind: 'own-screen' } as const] : []),
    ...participants.map((p): StageItem => ({ key: p.id, kind: 'person', owner: p.id, source: sourceName(p.id, 'v0') })),
    { key: SELF, kind: 'self' },
  ];
}
