// A conversation is a tree of messages: an edited question and an answer made again are
// sisters of what was there. What is picked at each fork makes the path that is shown.
//
//   chat: { id, title, created, updated, system, params, model, stamps, pick: {parent: child}, nodes: {id: node} }
//   node: { id, parent, role, text, rev, at, by?, files?, tokens?, recipe?, finish?, timings?, written?, error? }
//
// stamps says when a name or a setting was given last: {title, system, model, 'params.temp', ...}, in milliseconds.

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
    stamps: {},
    pick: {},
    nodes: {},
  };
}

export const isEmpty = (c) => Object.keys(c.nodes).length === 0;

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

// stamped notes that a name or a setting of a chat is changed now: title, system, model or params.NAME.
export function stamped(chat, name) {
  chat.stamps = { ...chat.stamps, [name]: Math.max(Date.now(), (chat.stamps?.[name] ?? 0) + 1) };
}

// merge takes over what another tab has written: of each message, name and setting the later state.
// Messages that `mine` names are being written in this tab and stay as they are here.
export function merge(chat, other, mine = () => false) {
  for (const theirs of Object.values(other.nodes)) mergeMessage(chat, theirs, mine);
  for (const [name, at] of Object.entries(other.stamps ?? {})) {
    if (!(at > (chat.stamps?.[name] ?? 0))) continue;
    chat.stamps = { ...chat.stamps, [name]: at };
    copySetting(chat, other, name);
  }
  chat.pick = { ...other.pick, ...chat.pick };
  chat.updated = Math.max(chat.updated, other.updated);
}

function mergeMessage(chat, theirs, mine) {
  const ours = chat.nodes[theirs.id];
  if (!ours) return (chat.nodes[theirs.id] = theirs);
  const later = theirs.rev > ours.rev || (theirs.rev === ours.rev && theirs.text > ours.text);
  const [kept, other] = later && !mine(ours.id) ? [theirs, ours] : [ours, theirs];
  chat.nodes[kept.id] = kept;
  if (goesOn(kept, other) || goesOn(other, kept)) return;
  // Two tabs have gone on with the same answer, each in its own way: both are kept.
  const id = `${other.id.slice(0, 80)}.${(other.by ?? 'other').slice(0, 12)}`, // which an import takes
    there = chat.nodes[id];
  if (!there || (there !== other && there.rev < other.rev)) chat.nodes[id] = { ...other, id };
}

// goesOn reports whether a text begins with another. A character that was cut there may be whole now.
const goesOn = (a, b) => a.text.startsWith(b.text.replace(/\ufffd+$/, ''));

function copySetting(chat, other, name) {
  const [, param] = /^params\.(.*)$/.exec(name) ?? [];
  if (!param) return (chat[name] = other[name]);
  const { [param]: _, ...rest } = chat.params;
  chat.params = Object.hasOwn(other.params, param) ? { ...rest, [param]: other.params[param] } : rest;
}

export function titleOf(chat) {
  if (chat.title) return chat.title;
  const first = path(chat)[0];
  const text = (first?.text || first?.files?.[0]?.name || '').trim().replace(/\s+/g, ' ');
  return text.length > 60 ? text.slice(0, 59) + '…' : text || 'New chat';
}

export const format = 'mptgo-chats';

export const exported = (chats) => JSON.stringify({ format, version: 1, chats }, null, 1) + '\n';
