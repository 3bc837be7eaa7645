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

export const format = 'mptgo-chats';

export const exported = (chats) => JSON.stringify({ format, version: 1, chats }, null, 1) + '\n';
