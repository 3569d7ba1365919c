/** The frame of dialogs. */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { t } from './i18n';
import { Icon } from './icons';

/** A modal dialog; Escape and a click outside close it, focus returns to where it was. */
export function Modal(props: { title: string; id: string; onClose: () => void; children: ComponentChildren }) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    ref.current?.showModal();
    return () => before?.focus();
  }, []);
  return (
    <dialog ref={ref} class="modal" tabIndex={-1} autofocus data-testid={props.id} aria-label={props.title} onClose={props.onClose}
      onClick={(event) => event.target === ref.current && props.onClose()}>
      <div class="modal-body">
        <header>
          <h2>{props.title}</h2>
          <button type="button" class="small" aria-label={t('settings.close')} data-testid="close-dialog" onClick={props.onClose}><Icon name="close" /></button>
        </header>
        {props.children}
      </div>
    </dialog>
  );
}
