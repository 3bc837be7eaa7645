// Imported files are strangers': all that is read of them later is looked at before anything is stored.
import { format } from './tree.js';

const longest = 2000; // messages that follow each other

// imported reads an exported file, and says in words what is wrong with one.
export function imported(text) {
  let v;
  try {
    v = JSON.parse(text);
  } catch (e) {
    throw new Error(`it is no JSON (${e.message}); it may be cut off`);
  }
  if (v?.format !== format || !Array.isArray(v.chats))
    throw new Error('it is JSON, but not a file that was exported here');
  if (v.version !== 1) throw new Error(`it has the version ${v.version}, and this page reads version 1`);
  const list = v.chats.map((c, i) => checked(c, `chat ${i + 1}`)),
    ids = new Set();
  for (const [i, c] of list.entries()) {
    if (ids.has(c.id)) throw new Error(`chat ${i + 1} is damaged: an earlier one has its id`);
    ids.add(c.id);
  }
  return list;
}

const isText = (x) => typeof x === 'string';
const isMap = (x) => typeof x === 'object' && x !== null && !Array.isArray(x);
const isID = (x) => isText(x) && /^[\w.-]{1,100}$/.test(x) && !(x in {});
const isTime = (x) => Number.isFinite(x) && Math.abs(x) <= 8.64e15; // the latest that a Date can be
const isCount = (x) => Number.isSafeInteger(x) && x >= 0;
const isSeed = (x) => isText(x) && /^-?\d{1,20}$/.test(x);
const isBool = (x) => typeof x === 'boolean';
const isList = (of, most) => (x) => Array.isArray(x) && x.length <= most && x.every(of);
const isOf = (fields, need) => (x) =>
  isMap(x) && Object.entries(fields).every(([name, is]) => (x[name] === undefined ? !need : is(x[name])));

const isBytes = isList((b) => isCount(b) && b < 256, 1000);
const isAbsent = (x) => x === undefined || x === null;

// A token is [id, text, log-probability, alternatives as the same without their own, bytes if
// they are no text].
const isPart = (t, bytes) =>
  Array.isArray(t) && isCount(t[0]) && isText(t[1]) && Number.isFinite(t[2]) && (isAbsent(bytes) || isBytes(bytes));
const isToken = (t) => isPart(t, t?.[4]) && (isAbsent(t[3]) || isList((x) => isPart(x, x?.[3]), 1000)(t[3]));

const isValue = (x) => isText(x) || isBool(x) || Number.isFinite(x);

// isParams looks at what the fields of the settings hold.
const isParams = (x) =>
  isOf({ schema: isText, stop: isText, logit_bias: isText, seed: isText, lora: isMap })(x) &&
  Object.entries(x).every(([name, v]) => (name === 'lora' ? Object.values(v).every(isValue) : isValue(v)));

const isRecipe = (x) =>
  isOf({ system: isText, params: isParams, model: isText }, true)(x) &&
  isOf({ seed: isSeed, limit: isCount, from: isCount, at: isCount })(x);

// What a message may have, by name.
const parts = {
  rev: isCount,
  files: isList(isOf({ name: isText, text: isText }, true), 1000),
  tokens: isList(isToken, 1e6),
  recipe: isRecipe,
  finish: isText,
  timings: isOf(
    { cache_n: isCount, prompt_n: isCount, predicted_n: isCount, predicted_per_second: Number.isFinite },
    true,
  ),
  error: isOf({ message: isText }, true),
  seed: isSeed,
  print: isText,
  asked: isText,
  bare: isCount,
  twin: isText,
  by: isID,
  written: isCount,
  same: isBool,
  elsewhere: isBool,
};

// isStamped reports whether something may have a time when it was changed.
const isStamped = (name) => /^(?:title|system|model|params\..+)$/.test(name);

// What a conversation may have.
const features = {
  title: isText,
  created: isTime,
  updated: isTime,
  system: isText,
  params: isParams,
  model: isText,
  stamps: (x) => isMap(x) && Object.entries(x).every(([name, at]) => isStamped(name) && isTime(at)),
  pick: (x) => isMap(x) && Object.values(x).every(isText),
};

function checked(c, where) {
  const want = (ok, what) => {
    if (!ok) throw new Error(`${where} is damaged: ${what}`);
  };
  want(isMap(c) && isText(c.id) && c.id && isMap(c.nodes), 'it has no id or no messages');
  want(isID(c.id), 'its id has other characters than letters, digits, ., _ and -');
  for (const [name, is] of Object.entries(features))
    want(c[name] === undefined || is(c[name]), `“${name}” is not what it should be`);
  for (const [id, n] of Object.entries(c.nodes)) checkMessage(c, id, n, want);
  for (const n of Object.values(c.nodes)) {
    let steps = 0;
    for (let at = n; at; at = c.nodes[at.parent])
      want(++steps <= longest, `more than ${longest} messages follow each other, or in a circle`);
  }
  const now = Date.now();
  return {
    id: c.id,
    title: c.title ?? '',
    created: c.created ?? now,
    updated: c.updated ?? now,
    system: c.system ?? '',
    params: c.params ?? {},
    model: c.model ?? '',
    stamps: Object.fromEntries(Object.entries(c.stamps ?? {}).map(([name, at]) => [name, Math.min(at, now)])),
    pick: c.pick ?? {},
    nodes: Object.fromEntries(Object.entries(c.nodes).map(([id, n]) => [id, { ...n, rev: n.rev || 1 }])),
  };
}

function checkMessage(c, id, n, want) {
  want(isID(id), `the message ${id.slice(0, 100)} has an id of other characters than letters, digits, ., _ and -`);
  want(isMap(n) && n.id === id, `the message ${id} has another id`);
  want(n.role === 'user' || n.role === 'assistant', `the message ${id} is of nobody`);
  want(isText(n.text) && isTime(n.at), `the message ${id} has no text or no time`);
  want(
    n.parent === '' || (isText(n.parent) && Object.hasOwn(c.nodes, n.parent)),
    `what the message ${id} answers is missing`,
  );
  for (const [name, is] of Object.entries(parts))
    want(n[name] === undefined || is(n[name]), `the ${name} of the message ${id} are not what they should be`);
}
