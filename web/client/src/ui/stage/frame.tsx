/** The frame that every tile has: its place, its name, its buttons. */
import type { ComponentChildren, JSX } from 'preact';
import { t } from '../i18n';
import { Icon } from '../icons';
import type { Placement } from './place';
import { pins, togglePin } from './view';

export interface FrameProps {
  readonly place: Placement;
  readonly name: string;
  readonly label: string;
  readonly data?: Readonly<Record<string, string | boolean | undefined>>;
  readonly audioMuted?: boolean;
  readonly speaking?: boolean;
  readonly status?: string;
  /** Set while the hand is up: its place among all hands, as far as it is known. */
  readonly hand?: { readonly place?: number };
  readonly classes?: string;
  readonly style?: JSX.CSSProperties;
  readonly pinnable?: boolean;
  readonly tools?: ComponentChildren;
  readonly children: ComponentChildren;
  readonly onPointerDown?: (event: JSX.TargetedPointerEvent<HTMLLIElement>) => void;
}

export function Frame(props: FrameProps) {
  const { place, name, label, audioMuted, speaking, status, hand, pinnable = true } = props;
  const pinned = pins.value.includes(place.item);
  const style = { insetInlineStart: `${place.x}px`, top: `${place.y}px`, width: `${place.width}px`, height: `${place.height}px`, ...props.style };
  return (
    <li class={`tile${speaking ? ' speaking' : ''}${place.large ? ' large' : ''} ${props.classes ?? ''}`} style={style} tabIndex={-1} aria-label={label}
      data-testid="tile" data-key={place.item} data-large={place.large} {...props.data}
      onPointerDown={props.onPointerDown} onDblClick={() => pinnable && togglePin(place.item)}>
      {props.children}
      <span class="label">
        {audioMuted ? <Icon name="micOff" /> : null}
        {pinned ? <Icon name="pin" /> : null}
        {hand ? <span class="hand" data-testid="tile-hand"><Icon name="hand" />{hand.place}</span> : null}
        <bdi class="name" data-testid="tile-name">{name}</bdi>
        {status ? <span class="status" data-testid="tile-status"><Icon name="signal" /><span>{status}</span></span> : null}
      </span>
      <span class="tile-tools">
        {pinnable ? (
          <button type="button" class="tile-tool" data-testid="pin" aria-pressed={pinned} aria-label={t(pinned ? 'stage.unpin' : 'stage.pin', { name })}
            title={t(pinned ? 'stage.unpin' : 'stage.pin', { name })} onClick={() => togglePin(place.item)}><Icon name="pin" /></button>
        ) : null}
        {props.tools}
      </span>
    </li>
  );
}
