// A conversation is a tree of messages: an edited question and an answer made again are
// sisters of what was there. What is picked at each fork makes the path that is shown.
//
//   chat: { id, title, created, updated, system, params, model, pick: {parent: child}, nodes: {id: node} }
//   node: { id, parent, role, text, rev, at, files?, tokens?, recipe?, finish?, usage?, error? }

export const newID = () =>
  crypto.randomUUID?.() ??
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('');

export function newChat(like) {
  const now = Date.now();
  return {
    id: newID(),
    title: '',
    created: now,
    updated: now,
    system: like?.system ?? '',
    params: { ...like?.params },
    model: like?.model ?? '',
    pick: {},
    nodes: {},
  };
}

// families are the messages behind each, in order; those behind '' begin a conversation.
export function families(chat) {
  const map = new Map();
  for (const n of Object.values(chat.nodes)) {
    const sisters = map.get(n.parent);
    if (sisters) sisters.push(n);
    else map.set(n.parent, [n]);
  }
  for (const sisters of map.values()) sisters.sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1));
  return map;
}

// path is what is shown: from the beginning through what is picked.
export function path(chat, byParent = families(chat)) {
  const list = [];
  for (let at = ''; ;) {
    const all = byParent.get(at);
    if (!all) return list;
    const node = all.find((n) => n.id === chat.pick[at]) ?? all.at(-1);
    list.push(node);
    at = node.id;
  }
}

// above are the messages that lead to a node, without it.
export function above(chat, node) {
  const list = [];
  for (let n = chat.nodes[node.parent]; n; n = chat.nodes[n.parent]) list.unshift(n);
  return list;
}

// add adds a message behind another and picks it.
export function add(chat, parent, role, text, more) {
  const last = families(chat).get(parent)?.at(-1);
  const node = { id: newID(), parent, role, text, rev: 1, at: Math.max(Date.now(), (last?.at ?? 0) + 1), ...more };
  chat.nodes[node.id] = node;
  chat.pick[parent] = node.id;
  return node;
}

// merge takes over what another tab has written: messages are never changed into others, so
// the later state of each is right.
export function merge(chat, other) {
  for (const [id, theirs] of Object.entries(other.nodes)) {
    const ours = chat.nodes[id];
    if (!ours || theirs.rev > ours.rev) chat.nodes[id] = theirs;
  }
}

export function titleOf(chat) {
  if (chat.title) return chat.title;
  const first = path(chat)[0];
  const text = (first?.text || first?.files?.[0]?.name || '').trim().replace(/\s+/g, ' ');
  return text.length > 60 ? text.slice(0, 59) + '…' : text || 'New chat';
}

const format = 'mptgo-chats';

export const exported = (chats) => JSON.stringify({ format, version: 1, chats }, null, 1) + '\n';

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
  return v.chats.map((c, i) => checked(c, `chat ${i + 1}`));
}

const isText = (x) => typeof x === 'string';
const isMap = (x) => typeof x === 'object' && x !== null && !Array.isArray(x);

function checked(c, where) {
  const want = (ok, what) => {
    if (!ok) throw new Error(`${where} is damaged: ${what}`);
  };
  want(isMap(c) && isText(c.id) && c.id && isMap(c.nodes), 'it has no id or no messages');
  for (const [id, n] of Object.entries(c.nodes)) {
    want(isMap(n) && n.id === id, `the message ${id} has another id`);
    want(n.role === 'user' || n.role === 'assistant', `the message ${id} is of nobody`);
    want(isText(n.text) && Number.isFinite(n.at), `the message ${id} has no text or no time`);
    want(
      n.parent === '' || (isText(n.parent) && Object.hasOwn(c.nodes, n.parent)),
      `what the message ${id} answers is missing`,
    );
    want(
      !n.files || (Array.isArray(n.files) && n.files.every((f) => isText(f?.name) && isText(f?.text))),
      `a file of the message ${id}`,
    );
    want(!n.tokens || (Array.isArray(n.tokens) && n.tokens.every(isToken)), `the tokens of the message ${id}`);
  }
  for (const n of Object.values(c.nodes)) {
    let steps = 0;
    for (let at = n; at; at = c.nodes[at.parent]) want(++steps <= 1e5, 'messages follow each other in a circle');
  }
  const text = (x) => (isText(x) ? x : '');
  return {
    id: c.id,
    title: text(c.title),
    created: +c.created || Date.now(),
    updated: +c.updated || Date.now(),
    system: text(c.system),
    params: isMap(c.params) ? c.params : {},
    model: text(c.model),
    pick: isMap(c.pick) ? c.pick : {},
    nodes: Object.fromEntries(Object.entries(c.nodes).map(([id, n]) => [id, { ...n, rev: +n.rev || 1 }])),
  };
}

// A token is [id, text, log-probability, alternatives as the same without their own, bytes if
// they are no text].
const isToken = (t) =>
  Array.isArray(t) &&
  Number.isInteger(t[0]) &&
  isText(t[1]) &&
  Number.isFinite(t[2]) &&
  (t[3] === undefined ||
    t[3] === null ||
    (Array.isArray(t[3]) && t[3].every((x) => Array.isArray(x) && Number.isInteger(x[0]) && isText(x[1]))));
