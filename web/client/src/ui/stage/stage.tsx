/** The stage: everything that is seen of the call, each at its place. */
import { useEffect, useState } from 'preact/hooks';
import { useSize } from '../hooks';
import { t } from '../i18n';
import { hands } from '../meeting';
import { media, nameOf, participants, path } from '../state';
import { arrangement, audioOnly, followStage, items, mode, pins } from './view';
import { Frame } from './frame';
import { SELF, type StageItem } from './items';
import { PersonTile } from './person_tile';
import { place, type Placement } from './place';
import { OwnScreenTile, ScreenTile } from './screen_tile';
import { SelfTile } from './self_tile';

function tileOf(item: StageItem, at: Placement) {
  const owner = item.owner === undefined ? undefined : participants.value.find((p) => p.id === item.owner);
  switch (item.kind) {
    case 'person':
      return owner && (
        <PersonTile {...at} key={item.key} id={owner.id} name={nameOf(owner)} audioMuted={owner.audioMuted} whole={owner.videoType === 'desktop'} hand={hands.value.findIndex((one) => one.id === owner.id) + 1}
          stream={owner.videoMuted || audioOnly.value ? undefined : owner.video} paused={path.value === 'bridge' && !owner.forwarded}
          status={media.value === 'none' ? t('call.connecting') : owner.active || path.value === 'direct' ? undefined : t('call.weak')} />
      );
    case 'screen':
      return owner && (
        <ScreenTile {...at} key={item.key} source={item.source!} owner={owner.id} name={nameOf(owner)}
          stream={audioOnly.value ? undefined : owner.screens.find((screen) => screen.source === item.source)?.stream} />
      );
    case 'own-screen':
      return <OwnScreenTile {...at} key={item.key} />;
    case 'extra':
      return <Frame key={item.key} place={at} name={item.extra!.title} label={item.extra!.title} classes="extra">{item.extra!.render()}</Frame>;
    case 'self':
      return <SelfTile {...at} key={SELF} floating={false} />;
  }
}

export function Stage() {
  const [ref, box] = useSize<HTMLDivElement>();
  const [scrollTop, setScrollTop] = useState(0);
  useEffect(followStage, []);
  const { large, small, floating } = arrangement.value;
  const plan = place(arrangement.value, box, scrollTop);
  const byKey = new Map([...large, ...small].map((item) => [item.key, item]));
  const tiles = plan.tiles.flatMap((at) => tileOf(byKey.get(at.item)!, at) ?? []);
  const [under] = plan.tiles;
  const last = plan.tiles.at(-1);
  if (floating && under) tiles.push(<SelfTile {...under} key={SELF} floating />);
  // In one order whatever their place is, so that a picture that moves is not begun anew.
  const order = new Map(items.value.map((item, index) => [item.key, index]));
  tiles.sort((a, b) => order.get(String(a.key))! - order.get(String(b.key))!);
  return (
    <div class="tiles-box" ref={ref}>
      <ul class="tiles" data-testid="tiles" data-count={participants.value.length + 1} data-layout={large.length ? 'speaker' : 'tiles'} aria-label={t('call.grid')}
        onScroll={(event) => setScrollTop(event.currentTarget.scrollTop)}>
        {tiles}
        {plan.contentHeight > box.height ? <li class="filler" aria-hidden="true" style={{ top: `${plan.contentHeight - 1}px` }} /> : null}
      </ul>
      {plan.left > 0 && last ? (
        // On the corner of the last tile where neither name nor buttons are, and in the gap above it: low tiles have no room for both.
        <button type="button" class="more-people" data-testid="more-people" style={{ insetInlineStart: `${last.x - 4}px`, top: `${last.y - 8}px` }}
          aria-label={t('stage.others', { count: plan.left })} title={t('stage.others', { count: plan.left })}
          onClick={() => { mode.value = 'tiles'; pins.value = []; }}><bdi>+{plan.left}</bdi></button>
      ) : null}
    </div>
  );
}
