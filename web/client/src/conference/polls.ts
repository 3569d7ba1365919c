/** Polls, as the stock component carries them (client.md of the stock library: `new-poll`, `answer-poll`, `old-polls`). */

export interface Poll {
  readonly id: string;
  readonly question: string;
  readonly from: string;
  readonly options: readonly { readonly text: string; readonly voters: ReadonlySet<string> }[];
}

type Json = Readonly<Record<string, unknown>>;

const MAX_POLLS = 128;
export const MAX_OPTIONS = 20;
export const MAX_POLL_TEXT = 300;

/** The polls after one message; one that makes no sense changes nothing. */
export function applyPoll(polls: readonly Poll[], json: Json): readonly Poll[] {
  switch (json.command) {
    case 'new-poll':
      return add(polls, json);
    case 'old-polls':
      return Array.isArray(json.polls) ? json.polls.filter(isObject).reduce<readonly Poll[]>(add, polls) : polls;
    case 'answer-poll':
      return answer(polls, json);
    default:
      return polls;
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null;
}

function add(polls: readonly Poll[], json: Json): readonly Poll[] {
  const id = json.pollId ?? json.id;
  const { question, answers } = json;
  if (typeof id !== 'string' || typeof question !== 'string' || !Array.isArray(answers) || answers.length < 1) return polls;
  if (polls.length >= MAX_POLLS || polls.some((poll) => poll.id === id)) return polls;
  const options = answers.slice(0, MAX_OPTIONS).map((one) => {
    const { name, voters } = isObject(one) ? one : { name: one, voters: undefined };
    return { text: String(name ?? '').slice(0, MAX_POLL_TEXT), voters: new Set(idsOf(voters)) };
  });
  return [...polls, { id, question: question.slice(0, MAX_POLL_TEXT), from: String(json.senderId ?? ''), options }];
}

/** Voters are a list of ids, or a map from id to name. */
function idsOf(voters: unknown): string[] {
  if (Array.isArray(voters)) return voters.map((one) => String(isObject(one) ? one.id : one));
  return isObject(voters) ? Object.keys(voters) : [];
}

function answer(polls: readonly Poll[], json: Json): readonly Poll[] {
  const { pollId, senderId, answers } = json;
  if (typeof senderId !== 'string' || !Array.isArray(answers)) return polls;
  return polls.map((poll) => poll.id !== pollId ? poll : {
    ...poll,
    options: poll.options.map((option, index) => {
      const voters = new Set(option.voters);
      if (answers[index] === true) voters.add(senderId);
      else voters.delete(senderId);
      return { ...option, voters };
    }),
  });
}
