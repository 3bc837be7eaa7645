// What the page shows: signals, and what changes them.
import { batch, effect, signal } from '@preact/signals';
import * as api from './api.js';
import { imported } from './imported.js';
import * as store from './store.js';
import * as tree from './tree.js';

export const heads = signal([]);
export const chat = signal(tree.newChat());
export const view = signal('chat');
export const live = signal(new Map()); // what answers that are being written have come to, by message
export const notices = signal([]);
export const props = signal(null);
export const models = signal([]);
export const adapters = signal([]);
export const wrong = signal({}); // what the server says of fields, by name
export const panel = signal(''); // what is open beside the chat: '', 'list' or 'settings'
export const spoken = signal(''); // for screen readers

const channel = globalThis.BroadcastChannel ? new BroadcastChannel('mptgo') : null;
const open = new Map(); // conversations that were shown since the page was loaded, by id
const deleted = new Set();

// notice shows a sentence until it is closed, or for a while.
export function notice(text, more) {
  const n = { text, id: tree.newID(), ...more };
  notices.value = [...notices.value.filter((x) => x.text !== text), n];
  if (more?.seconds) setTimeout(() => close(n), more.seconds * 1000);
}
export const close = (n) => (notices.value = notices.value.filter((x) => x.id !== n.id));

const failed = (e) => notice(store.inWords(e), { bad: true });

// changed tells that a conversation, or a message of it, has changed, and writes it down.
export function changed(c, node, soon) {
  if (deleted.has(c.id)) return;
  if (node) node.rev++;
  const next = { ...c };
  open.set(c.id, next);
  if (c.id === chat.value.id) {
    chat.value = next;
    if (view.value === 'chat' && location.hash !== address(next)) history.replaceState(null, '', address(next));
  }
  later(c.id, soon ? 2000 : 0);
}

const timers = new Map();
function later(id, wait) {
  if (wait && timers.has(id)) return;
  clearTimeout(timers.get(id));
  timers.set(
    id,
    setTimeout(() => write(id), wait),
  );
}

// fresh returns the state of a conversation that is worked with.
export const fresh = (id) => (chat.value.id === id ? chat.value : open.get(id));

async function write(id) {
  timers.delete(id);
  const c = fresh(id);
  if (!c || isEmpty(c) || deleted.has(id)) return;
  remember(c);
  try {
    await store.save(c);
    channel?.postMessage(id);
  } catch (e) {
    failed(e);
  }
}

// remember has a conversation in the list, whether it could be written or not.
function remember(c) {
  const head = { id: c.id, title: tree.titleOf(c), updated: c.updated };
  heads.value = [head, ...heads.value.filter((h) => h.id !== c.id)].sort((a, b) => b.updated - a.updated);
}

// closePanel goes back to where one writes.
export function closePanel() {
  panel.value = '';
  setTimeout(() => document.getElementById('draft')?.focus());
}

// touch has a conversation come first in the list.
export const touch = (c) => (c.updated = Date.now());

if (channel) {
  channel.onmessage = async ({ data: id }) => {
    try {
      heads.value = await store.heads();
      const c = fresh(id),
        other = c && (await store.load(id));
      if (!other) return;
      tree.merge(c, other);
      if (chat.value.id === id) chat.value = { ...c };
    } catch {
      /* said where it is written */
    }
  };
}

const isEmpty = (c) => Object.keys(c.nodes).length === 0;

// address is where a conversation is found again; one without messages is kept nowhere.
export const address = (c) => (isEmpty(c) ? '#/' : '#/chat/' + c.id);

// go shows what an address names.
export function go(hash) {
  if (location.hash === hash) route();
  else location.hash = hash;
}

export async function route() {
  const [, where, id] = location.hash.split('/');
  view.value = where === 'server' ? 'server' : 'chat';
  if (!where && !isEmpty(chat.value)) return show(tree.newChat(chat.value));
  if (where !== 'chat' || !id) return;
  if (id === chat.value.id) return makeRoom();
  let c = open.get(id);
  if (!c) {
    try {
      c = await store.load(id);
    } catch (e) {
      failed(e);
    }
  }
  if (!c) {
    notice('This chat is not in this browser: it was deleted, or belongs to another.', { bad: true });
    return begin();
  }
  show(c);
}

// makeRoom closes what lies over the chat where there is little room.
function makeRoom() {
  if (matchMedia('(max-width: 800px)').matches) panel.value = '';
}

function show(c) {
  batch(() => {
    open.set(c.id, c);
    chat.value = c;
    wrong.value = {};
    makeRoom();
  });
}

// begin begins a conversation with the settings of the current one.
export function begin() {
  const c = tree.newChat(chat.value);
  show(c);
  view.value = 'chat';
  if (location.hash !== '#/') history.pushState(null, '', '#/');
  queueMicrotask(() => document.getElementById('draft')?.focus());
}

// remove deletes a conversation, of which nothing is being written.
export async function remove(id) {
  let c = fresh(id);
  deleted.add(id);
  try {
    const old = await store.load(id);
    if (c && old) tree.merge(c, old);
    c ??= old;
    await store.remove(id);
  } catch (e) {
    failed(e);
  }
  heads.value = heads.value.filter((h) => h.id !== id);
  open.delete(id);
  if (chat.value.id === id) begin();
  const undo = async () => {
    deleted.delete(id);
    open.set(id, c);
    remember(c);
    await store.put([c]).catch(failed);
    go('#/chat/' + id);
  };
  if (c) notice(`“${tree.titleOf(c)}” is deleted.`, { seconds: 15, action: 'Undo', act: undo });
}

export async function rename(id, title) {
  try {
    const c = fresh(id) ?? (await store.load(id));
    if (!c) return;
    c.title = title.trim();
    changed(c);
  } catch (e) {
    failed(e);
  }
}

// everything returns all conversations: those that are stored, and what is only in memory.
async function everything() {
  let list = [];
  try {
    list = await store.all();
  } catch (e) {
    failed(e);
  }
  for (const c of [...open.values(), chat.value]) {
    if (isEmpty(c)) continue;
    list = [...list.filter((x) => x.id !== c.id), c];
  }
  return list;
}

export async function exportChats(id) {
  const all = await everything();
  const list = id ? all.filter((c) => c.id === id) : all;
  const name = id
    ? tree
        .titleOf(list[0])
        .replace(/[^\p{L}\p{N}]+/gu, '-')
        .slice(0, 40) || 'chat'
    : 'chats';
  const a = document.createElement('a');
  a.href = URL.createObjectURL(new Blob([tree.exported(list)], { type: 'application/json' }));
  a.download = `mptgo-${name}-${new Date().toISOString().slice(0, 10)}.json`;
  a.click();
  setTimeout(() => URL.revokeObjectURL(a.href), 60000);
}

// importChats adds what a file holds. Chats that are there already get what they lack; what is
// being written in them is stopped by `halt` before.
export async function importChats(file, halt) {
  let list;
  try {
    list = imported(await file.text());
  } catch (e) {
    return notice(`“${file.name}” cannot be imported: ${e.message}. Nothing was changed.`, { bad: true });
  }
  try {
    for (const c of list) {
      await halt(c.id);
      for (const old of [fresh(c.id), await store.load(c.id)]) {
        if (!old) continue;
        tree.merge(c, old);
        if (old.updated > c.updated) Object.assign(c, old, { nodes: c.nodes }); // names and settings of the later state
      }
    }
    await store.put(list);
  } catch (e) {
    return failed(e);
  }
  for (const c of list) {
    deleted.delete(c.id);
    open.delete(c.id);
    remember(c);
  }
  const shown = list.find((c) => c.id === chat.value.id);
  if (shown) show(shown);
  notice(list.length === 1 ? 'One chat is imported.' : `${list.length} chats are imported.`, { seconds: 10 });
}

// ask learns about the server: what is not there is not shown.
export async function ask() {
  try {
    const [p, m] = await Promise.all([api.json('props'), api.json('v1/models')]);
    props.value = p;
    models.value = m.data.map((x) => x.id);
  } catch (e) {
    if (e.again) setTimeout(ask, 1000 * Math.max(1, e.retry));
    return;
  }
  // Only a server whose settings name adapters has a list of them.
  const some = props.value.default_generation_settings.params.lora?.length > 0;
  const known = some ? await api.json('lora-adapters').catch(() => []) : [];
  adapters.value = Array.isArray(known) ? known : [];
}

// While the server is gone it is asked every two seconds whether it is back.
effect(() => {
  if (api.reachable.value) return;
  const timer = setInterval(async () => {
    try {
      await fetch(new URL('health', document.baseURI), { cache: 'no-store' });
      api.reachable.value = true;
      notice('The server is back.', { seconds: 8 });
      ask();
    } catch {
      /* still gone */
    }
  }, 2000);
  return () => clearInterval(timer);
});

export async function start() {
  addEventListener('hashchange', route);
  addEventListener('pagehide', () => [...timers.keys()].forEach(write));
  ask();
  try {
    heads.value = await store.heads();
  } catch (e) {
    failed(e);
  }
  await route();
}
