import assert from 'node:assert/strict';
import { test } from 'node:test';
import { arrange, SpeakerHold, type Wishes } from '../src/ui/stage/arrange';
import { stageItems, type StageItem } from '../src/ui/stage/items';
import { cornerSize, place, type Plan } from '../src/ui/stage/place';
import type { Participant } from '../src/conference';

const person = (id: string, screens: string[] = []): Participant => ({
  id, name: id, joinedAt: 0, audioMuted: false, videoMuted: false, videoType: 'camera', forwarded: true, active: true, moderator: false,
  screens: screens.map((source) => ({ source })), screenAudio: [],
});
const people = (count: number) => Array.from({ length: count }, (_, i) => person(`p${i}`));
const WISHES: Wishes = { mode: 'tiles', pins: [], speaker: undefined, selfView: true };
const keys = (items: readonly StageItem[]) => items.map((item) => item.key);
const arranged = (participants: Participant[], wishes: Partial<Wishes> = {}, sharing = false) => {
  const { large, small, floating } = arrange(stageItems(participants, [], sharing), { ...WISHES, ...wishes });
  return { large: keys(large), small: keys(small), floating };
};

test('all are tiles until something is shared, pinned, or the speaker is wanted large', () => {
  assert.deepEqual(arranged([]), { large: [], small: ['self'], floating: false });
  assert.deepEqual(arranged(people(1)), { large: [], small: ['p0'], floating: true });
  assert.deepEqual(arranged(people(2)), { large: [], small: ['p0', 'p1', 'self'], floating: false });
  assert.deepEqual(arranged(people(2), { mode: 'speaker', speaker: 'p1' }).large, ['p1']);
  assert.deepEqual(arranged(people(2), { mode: 'speaker' }).large, ['p0'], 'somebody, before anybody spoke');
  assert.deepEqual(arranged([person('p0', ['p0-v1']), person('p1', ['p1-v1'])]).large, ['screen:p0-v1', 'screen:p1-v1'], 'all that is shared');
  assert.deepEqual(arranged([person('p0', ['p0-v1']), person('p1')], { pins: ['p1', 'self'] }).large, ['p1', 'self']);
  assert.deepEqual(arranged(people(2), { pins: ['gone'] }).large, []);
});

test('our own picture can be hidden, and what we share is before us anyway', () => {
  assert.deepEqual(arranged(people(2), { selfView: false }).small, ['p0', 'p1']);
  assert.equal(arranged(people(1), { selfView: false }).floating, false);
  assert.deepEqual(arranged([], { selfView: false }).small, ['self'], 'alone there is nothing else to show');
  assert.deepEqual(arranged(people(2), {}, true).small, ['p0', 'p1', 'self']);
  assert.deepEqual(arranged(people(2), { pins: ['own-screen'] }, true).large, ['own-screen']);
});

test('something else than video can stand on the stage', () => {
  const extra = { key: 'board', title: 'Board', render: () => null };
  const { large, small } = arrange(stageItems(people(2), [extra], false), WISHES);
  assert.deepEqual([keys(large), keys(small)], [['extra:board'], ['p0', 'p1', 'self']]);
});

const SIZES = [[320, 480], [390, 700], [700, 390], [1024, 768], [1280, 636], [1920, 1000], [3840, 2000]] as const;

function overlap({ tiles }: Plan): boolean {
  return tiles.some((a, i) => tiles.some((b, j) => i < j
    && a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height));
}

test('any number of tiles stands in any window without overlapping, in sight or to be scrolled to', () => {
  for (const [width, height] of SIZES) {
    for (let count = 0; count <= 100; count++) {
      for (const mode of ['tiles', 'speaker'] as const) {
        const arrangement = arrange(stageItems(people(count), [], false), { ...WISHES, mode, speaker: 'p0' });
        const plan = place(arrangement, { width, height });
        const what = `${count} others, ${mode}, ${width}x${height}`;
        assert.ok(!overlap(plan), what);
        assert.equal(plan.tiles.length + plan.left, arrangement.large.length + arrangement.small.length, what);
        for (const tile of plan.tiles) {
          assert.ok(tile.x >= 0 && tile.x + tile.width <= width && tile.y >= 0 && tile.y + tile.height <= plan.contentHeight + 1, what);
          assert.ok(tile.width >= 64 && tile.height >= 48, what);
          if (tile.y < height && tile.y + tile.height > 0) assert.ok(tile.seen, what);
        }
        assert.ok(plan.contentHeight >= height, what);
      }
    }
  }
});

test('what is scrolled out of sight needs no picture', () => {
  const arrangement = arrange(stageItems(people(99), [], false), WISHES);
  const box = { width: 390, height: 700 };
  const top = place(arrangement, box);
  assert.ok(top.contentHeight > 700);
  const seen = (plan: Plan) => plan.tiles.filter((tile) => tile.seen).map((tile) => tile.item);
  assert.equal(seen(top)[0], 'p0');
  const bottom = place(arrangement, box, top.contentHeight - 700);
  assert.equal(seen(bottom).at(-1), 'self');
  assert.ok(!seen(bottom).includes('p0'));
  for (const plan of [top, bottom]) assert.ok(seen(plan).length < 40);
});

test('beside what is large our own picture is always there', () => {
  const arrangement = arrange(stageItems(people(30), [], false), { ...WISHES, mode: 'speaker', speaker: 'p7' });
  const plan = place(arrangement, { width: 1280, height: 640 });
  assert.deepEqual([plan.tiles[0]!.item, plan.tiles.at(-1)!.item], ['p7', 'self']);
  assert.ok(plan.tiles[0]!.width > 900);
  assert.ok(plan.left > 20);
});

test('a window without size has no tiles, and a corner is smaller than the window', () => {
  assert.deepEqual(place(arrange(stageItems(people(3), [], false), WISHES), { width: 0, height: 0 }).tiles, []);
  for (const [width, height] of SIZES) {
    const corner = cornerSize({ width, height });
    assert.ok(corner.width < width / 2 && corner.height < height / 2);
  }
});

test('who speaks briefly does not take the large place, and we never do', () => {
  const hold = new SpeakerHold();
  assert.equal(hold.speaks('ann', 0), true, 'the first one at once');
  assert.equal(hold.speaks('ben', 1000), false);
  assert.equal(hold.look(2000), false);
  assert.equal(hold.speaks('ann', 2100), false);
  assert.equal(hold.look(9000), false, 'ann is large already');
  hold.speaks('ben', 10_000);
  assert.equal(hold.due(10_500), 1000);
  assert.equal(hold.look(11_500), true);
  assert.equal(hold.current, 'ben');
  hold.speaks(undefined, 12_000);
  assert.equal(hold.due(12_000), undefined);
  assert.equal(hold.current, 'ben', 'silence changes nothing');
  hold.left('ben');
  assert.equal(hold.speaks('eva', 13_000), true);
});
