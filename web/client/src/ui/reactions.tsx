/** Reactions: a small menu of them, and how they rise over the stage. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { ToolButton } from './controls';
import { t } from './i18n';
import { react, REACTIONS, reactions, type Reaction } from './meeting';

export function ReactionsButton() {
  const [open, setOpen] = useState(false);
  const place = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    if (!open) return;
    place.current?.querySelector<HTMLElement>('.reaction-bar button')?.focus();
    const outside = (event: Event) => !place.current?.contains(event.target as Node) && setOpen(false);
    addEventListener('pointerdown', outside);
    return () => removeEventListener('pointerdown', outside);
  }, [open]);
  const onKey = (event: KeyboardEvent) => {
    if (event.key !== 'Escape' || !open) return;
    event.stopPropagation();
    setOpen(false);
    place.current?.querySelector<HTMLElement>('.tool')?.focus();
  };
  return (
    <span ref={place} class="menu-place" onKeyDown={onKey}>
      <ToolButton id="toggle-reactions" icon="smile" label={t('toolbar.react')} pressed={open} onClick={() => setOpen(!open)} />
      {open ? (
        <div class="reaction-bar" role="group" aria-label={t('toolbar.react')} data-testid="reaction-bar">
          {(Object.entries(REACTIONS) as [Reaction, string][]).map(([name, emoji]) => (
            <button key={name} type="button" aria-label={t(`reactions.${name}`)} title={t(`reactions.${name}`)} data-testid={`react-${name}`} onClick={() => react(name)}>{emoji}</button>
          ))}
        </div>
      ) : null}
    </span>
  );
}

/** The same in the menu of a phone. */
export function ReactionItems() {
  return (
    <div class="reaction-items narrow-only" role="none">
      {(Object.entries(REACTIONS) as [Reaction, string][]).map(([name, emoji]) => (
        <button key={name} type="button" role="menuitem" tabIndex={-1} aria-label={t(`reactions.${name}`)} onClick={() => react(name)}>{emoji}</button>
      ))}
    </div>
  );
}

export function FloatingReactions() {
  return (
    <div class="floating" aria-hidden="true">
      {reactions.value.map((one) => (
        <span key={one.key} data-testid="reaction" style={{ '--lane': String((one.key * 37) % 100) }}><i>{one.emoji}</i><b>{one.name}</b></span>
      ))}
    </div>
  );
}
