/** The panel beside the stage; over it on a phone. */
import type { ComponentChildren } from 'preact';
import { t } from './i18n';
import { Icon } from './icons';
import { showPanel } from './state';

export interface PanelProps {
  readonly id: string;
  readonly title: string;
  /** Buttons beside the title. */
  readonly tools?: ComponentChildren;
  readonly children: ComponentChildren;
}

export function Panel({ id, title, tools, children }: PanelProps) {
  return (
    <aside class={`panel ${id}`} data-testid={id} aria-label={title}>
      <header>
        <h2>{title}</h2>
        <span class="panel-tools">
          {tools}
          <button type="button" class="small" aria-label={t('panel.close')} title={t('panel.close')} data-testid={`close-${id}`} onClick={() => showPanel('none')}><Icon name="close" /></button>
        </span>
      </header>
      {children}
    </aside>
  );
}
