/** Whose details are shown, and the connection's. */
import { signal } from '@preact/signals';

export const inspected = signal<string | undefined>(undefined);

export function inspect(id: string | undefined): void {
  inspected.value = id;
}

/** Whether it is explained how the call is connected. */
export const comparing = signal(false);
