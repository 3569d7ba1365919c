/**
 * A button that opens a menu (ARIA's menu button): arrows, Home and End move, Escape and Tab close,
 * and the focus goes back to the button.
 */
import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Icon, type IconName } from './icons';

export interface MenuItem {
  readonly id: string;
  readonly label: string;
  readonly icon?: IconName;
  readonly danger?: boolean;
  readonly badge?: number;
  readonly keys?: string;
  /** For what is on or off. */
  readonly checked?: boolean;
  /** Only where the window has no room for a button of its own. */
  readonly narrow?: boolean;
  readonly onSelect: () => void;
}

export interface MenuProps {
  readonly id: string;
  readonly label: string;
  readonly items: readonly MenuItem[];
  /** Classes of the button. */
  readonly class: string;
  /** More menu items, above the list. */
  readonly top?: ComponentChildren;
  readonly children: ComponentChildren;
}

/** The items that can be seen. */
function choicesIn(list: HTMLElement | null): HTMLElement[] {
  return [...(list?.querySelectorAll<HTMLElement>('[role^=menuitem]') ?? [])].filter((one) => one.offsetParent !== null);
}

export function MenuButton({ id, label, items, class: classes, top, children }: MenuProps) {
  const [open, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const list = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    if (!open) return;
    choicesIn(list.current)[0]?.focus();
    const outside = (event: Event) => {
      const inside = [list.current, button.current].some((one) => one?.contains(event.target as Node));
      if (!inside) setOpen(false);
    };
    addEventListener('pointerdown', outside);
    return () => removeEventListener('pointerdown', outside);
  }, [open]);
  const close = (event?: Event) => {
    event?.preventDefault();
    event?.stopPropagation();
    setOpen(false);
    button.current?.focus();
  };
  const onKey = (event: KeyboardEvent) => {
    const choices = choicesIn(list.current);
    const at = choices.indexOf(document.activeElement as HTMLElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1 + choices.length, ArrowRight: at + 1, ArrowLeft: at - 1 + choices.length, Home: 0, End: choices.length - 1 }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      choices[to % choices.length]?.focus();
    } else if (event.key === 'Escape') close(event);
    else if (event.key === 'Tab') setOpen(false);
    // Letters and space are no shortcuts of the call while a menu is open.
    if (event.key !== 'Tab') event.stopPropagation();
  };
  return (
    <span class="menu-place">
      <button ref={button} type="button" class={classes} data-testid={id} aria-label={label} title={label} aria-haspopup="menu" aria-expanded={open}
        onClick={() => setOpen(!open)}>{children}</button>
      {open ? (
        <div ref={list} class="menu" role="menu" aria-label={label} onKeyDown={onKey}>
          {top}
          {items.map((item) => (
            <button key={item.id} type="button" role={item.checked === undefined ? 'menuitem' : 'menuitemcheckbox'} aria-checked={item.checked} tabIndex={-1} class={[item.danger && 'danger', item.narrow && 'narrow-only'].filter(Boolean).join(' ')} data-testid={item.id}
              onClick={() => { close(); item.onSelect(); }}>
              {item.icon ? <Icon name={item.icon} /> : null}
              <span>{item.label}</span>
              {item.badge ? <span class="count">{item.badge}</span> : null}
              {item.checked ? <Icon name="check" /> : null}
              {item.keys ? <kbd aria-hidden="true">{item.keys}</kbd> : null}
            </button>
          ))}
        </div>
      ) : null}
    </span>
  );
}
