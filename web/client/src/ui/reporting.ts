/** Who is about to be reported. */
import { signal } from '@preact/signals';
import type { Misconduct } from '../conference';

/** The text for each reason. */
export const REASONS = {
  spam: 'report.spam', harassment: 'report.harassment', other: 'report.otherwise',
} as const satisfies Record<Misconduct, string>;

export const reporting = signal<string | undefined>(undefined);
