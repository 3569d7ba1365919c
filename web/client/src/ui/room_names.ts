/** Room names that are easy to say and hard to guess. */

const ADJECTIVES = (
  'amber ample azure bold brave brisk bright calm clear clever cosy crisp dapper eager early fair fleet fond fresh gentle ' +
  'glad golden grand green hardy hazel jolly keen kind late light lively loyal lucid lucky mellow merry mild misty neat ' +
  'noble olive plain proud quick quiet rapid ready rosy round royal sandy sharp shiny silent silver simple sleek smooth ' +
  'snowy soft solar spry steady still sunny swift tall tidy tiny topaz true velvet violet vivid warm wide wild wise witty young'
).split(' ');
const NOUNS = (
  'acorn anchor apple aspen badger bamboo beacon birch bridge brook cedar cherry cloud clover comet coral crane creek ' +
  'dahlia dawn delta dune eagle ember falcon fern field finch fjord forest fox garden glacier grove harbour hawk heron ' +
  'hill iris island ivy jasmine kettle lake lantern lark laurel lemon lilac linden lotus lynx maple marble meadow mint ' +
  'moon moss oak oasis ocean orchard otter owl pebble pepper pine planet plum pond poppy quartz rain raven reef ridge ' +
  'river robin sage sail sparrow spruce star stone stream summit swan tea thistle tiger trail tulip valley walnut willow wren'
).split(' ');

/** Something like "brisk-heron-merry-lotus-38": about 35 bits. */
export function suggestRoom(random: (below: number) => number = randomBelow): string {
  const pick = (words: readonly string[]) => words[random(words.length)]!;
  return [pick(ADJECTIVES), pick(NOUNS), pick(ADJECTIVES), pick(NOUNS), String(10 + random(90))].join('-');
}

function randomBelow(limit: number): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]! % limit;
}
