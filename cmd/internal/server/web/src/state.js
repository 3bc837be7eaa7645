// What the page shows: signals, and what changes them.
import { batch, computed, effect, signal } from '@preact/signals';
import * as api from './api.js';
import { blankOf, hasDraft, keepBlank } from './drafts.js';
import { imported } from './imported.js';
import * as keep from './keep.js';
import * as store from './store.js';
import * as tabs from './tabs.js';
import * as tree from './tree.js';
import { isEmpty } from './tree.js';

export const heads = signal([]);
let blank = blankOf(tree.newID) ?? tree.newChat(); // the conversation that has no message yet, if there is one
export const chat = signal(blank);
export const view = signal('chat');
export const live = signal(new Map()); // what answers that are being written have come to, by message
export const notices = signal([]);
export const models = signal([]);
export const bases = signal(new Map()); // the model that each adapter changes, by the adapter's name
export const told = signal(new Map()); // what the server says of models: {props, adapters}, by what chats call them
export const wrong = signal({}); // what the server says of fields, by name
export const panel = signal(''); // what is open beside the chat: '', 'list' or 'settings'
export const spoken = signal(''); // for screen readers

// about is what is known of the model of the chat that is shown, or null.
const about = computed(() => told.value.get(chat.value.model) ?? null);
// props has settings that are the same for all models, so those of another one do while it is not loaded.
export const props = computed(() => (about.value ?? told.value.get(''))?.props ?? null);
export const adapters = computed(() => about.value?.adapters ?? []);
export const contextSize = () => about.value?.props.default_generation_settings.n_ctx;

export const open = new Map(); // conversations that were shown since the page was loaded, by id
keepBlank(blank);

// notice shows a sentence until it is closed, or for a while.
export function notice(text, more) {
  const n = { text, id: tree.newID(), ...more };
  notices.value = [...notices.value.filter((x) => x.text !== text), n];
  if (more?.seconds) setTimeout(() => close(n), more.seconds * 1000);
}
export const close = (n) => (notices.value = notices.value.filter((x) => x.id !== n.id));

const failed = (e) => notice(store.inWords(e), { bad: true, about: 'storage' });

// put has a conversation be in this state.
export function put(c) {
  const next = { ...c };
  open.set(c.id, next);
  if (c.id === chat.value.id) chat.value = next;
  return next;
}

// changed tells that somebody has changed a conversation, or a message of it, and writes it down.
export function changed(c, node) {
  if (keep.deleted.has(c.id)) keep.restore(c.id); // whoever goes on with it wants it
  advanced(c, node);
}

// advanced tells that an answer has come to an end, or that a conversation has changed.
export function advanced(c, node) {
  drawn(c, node);
  keep.later(c.id);
}

// drawn has the page show what has changed.
export function drawn(c, node) {
  if (node) node.rev++;
  const next = put(c);
  if (isEmpty(next)) return keepBlank((blank = next));
  if (blank?.id === c.id) keepBlank((blank = null));
  if (c.id === chat.value.id && view.value === 'chat' && isNew(location.hash))
    history.replaceState(null, '', address(next));
}

const isNew = (hash) => ['', '#', '#/'].includes(hash);

// fresh returns the state of a conversation that is worked with.
export const fresh = (id) => (chat.value.id === id ? chat.value : open.get(id));

// remember has a conversation in the list.
export function remember(c) {
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

// address is where a conversation is found again; one without messages is kept nowhere.
export const address = (c) => (isEmpty(c) ? '#/' : '#/chat/' + c.id);

// go shows what an address names.
export function go(hash) {
  if (location.hash === hash) route();
  else location.hash = hash;
}

let turn = 0; // of going somewhere: who goes twice arrives at the second place

export async function route() {
  const [, where, id] = location.hash.split('/'),
    own = ++turn;
  view.value = where === 'server' ? 'server' : 'chat';
  if (!where && !isEmpty(chat.value)) return show(next());
  if (where !== 'chat' || !id) return;
  if (id === chat.value.id) return makeRoom();
  let c = open.get(id);
  if (!c) {
    try {
      c = await store.load(id);
    } catch (e) {
      failed(e);
    }
    if (own !== turn) return;
    c = open.get(id) ?? c;
  }
  if (!c) {
    notice('This chat is not in this browser: it was deleted, or was written in another browser.', { bad: true });
    return begin();
  }
  show(c);
}

// makeRoom closes what lies over the chat where there is little room.
function makeRoom() {
  if (matchMedia('(max-width: 800px)').matches) panel.value = '';
}

function show(c) {
  turn++;
  batch(() => {
    open.set(c.id, c);
    chat.value = c;
    wrong.value = {};
    makeRoom();
  });
  tabs.look();
}

// next returns the conversation that is not sent yet if somebody has begun it, or a new one with
// the settings of the current one.
function next() {
  if (isEmpty(chat.value)) return chat.value;
  if (blank && (hasDraft(blank.id) || Object.keys(blank.stamps).length)) return blank;
  keepBlank((blank = served(tree.newChat(chat.value))));
  return blank;
}

// isServed reports whether the server has a model, or may have it as far as is known.
export const isServed = (model) => !model || !models.value.length || models.value.includes(model);

function served(c) {
  return isServed(c.model) ? c : { ...c, model: '' };
}

// begin begins a conversation. The focus goes to where its message is written, or stays.
export function begin(stay) {
  show(next());
  view.value = 'chat';
  if (location.hash !== '#/') history.pushState(null, '', '#/');
  if (stay !== true) focusDraft();
}

export const focusDraft = () => setTimeout(() => document.getElementById('draft')?.focus());

// remove deletes a conversation, of which nothing is being written. What could not be stored of
// it is kept until it can no longer be taken back.
export async function remove(id) {
  let c = fresh(id);
  keep.deleted.add(id);
  try {
    const old = await store.load(id);
    if (c && old) tree.merge(c, old);
    c ??= old;
    await store.remove(id);
    tabs.tell({ gone: id });
  } catch (e) {
    failed(e);
  }
  keep.forget(id);
  heads.value = heads.value.filter((h) => h.id !== id);
  open.delete(id);
  if (chat.value.id === id) begin(true);
  keep.retry(); // there may be room now
  const undo = async () => {
    open.set(id, c);
    await keep.restore(id);
    go('#/chat/' + id);
  };
  if (c) notice(`“${tree.titleOf(c)}” is deleted.`, { seconds: 15, about: id, action: 'Undo', act: undo });
}

export async function rename(id, title) {
  try {
    const c = fresh(id) ?? (await store.load(id));
    if (!c) return;
    if (c.title === title.trim()) return;
    c.title = title.trim();
    tree.stamped(c, 'title');
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
    const all = { ...c, nodes: { ...c.nodes } },
      old = list.find((x) => x.id === c.id);
    if (old) tree.merge(all, old);
    list = [...list.filter((x) => x !== old), all];
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
      for (const old of [fresh(c.id), await store.load(c.id)]) if (old) takeIn(c, old);
    }
    await store.put(list);
  } catch (e) {
    return failed(e);
  }
  for (const c of list) {
    keep.deleted.delete(c.id);
    open.delete(c.id);
    remember(c);
    tabs.tell({ chat: c.id });
  }
  const shown = list.find((c) => c.id === chat.value.id);
  if (shown) show(shown);
  notice(list.length === 1 ? 'One chat is imported.' : `${list.length} chats are imported.`, { seconds: 10 });
}

// takeIn adds what is there to an imported chat. Names and settings are those of the later state.
function takeIn(c, old) {
  const [later, earlier] = old.updated > c.updated ? [old, c] : [c, old];
  const both = { ...later, nodes: { ...later.nodes } };
  tree.merge(both, earlier);
  Object.assign(c, both);
}

let asking = null; // the time at which the server is asked again
let asked = 0; // when it answered last
let denied = false; // whether it wants another key
let pause = 1000; // milliseconds until it is asked again

// ask learns about the server: what is not there is not shown. It asks until the server answers.
export async function ask() {
  clearTimeout(asking);
  denied = false;
  try {
    const { data } = await api.json('v1/models'),
      named = chat.value.model,
      list = new Map(),
      ids = data.map((x) => x.id);
    list.set('', await learnt('', ids));
    if (named && ids.includes(named)) list.set(named, await learnt(named, ids).catch(() => undefined));
    if (!list.get(named)) list.delete(named);
    batch(() => {
      models.value = ids;
      bases.value = new Map(data.filter((x) => x.parent).map((x) => [x.id, x.parent]));
      told.value = list;
    });
    asked = performance.now();
    pause = 1000;
  } catch (e) {
    denied = e.status === 401;
    if (denied) return; // the key prompt asks again
    asking = setTimeout(ask, Math.max(pause, 1000 * (e.retry || 0)));
    pause = Math.min(30000, 2 * pause);
    return;
  }
  if (isEmpty(chat.value) && !isServed(chat.value.model)) put(served(chat.value));
}

// learnt asks what the server says of a model, '' being the first of some. One that is not loaded is
// refused; of the first one the settings are those of another then, without its adapters and size.
async function learnt(model, ids) {
  const query = (name) => (name ? '?model=' + encodeURIComponent(name) : ''),
    own = query(model || (ids.length > 1 ? ids[0] : ''));
  try {
    const [props, known] = await Promise.all([api.json('props' + own), listed('lora-adapters' + own)]);
    return { props, adapters: known.filter((a) => typeof adapterName(a) === 'string') };
  } catch (e) {
    if (model || e.code !== 'model_not_loaded') throw e;
  }
  const props = await api.json('props');
  delete props.default_generation_settings.n_ctx;
  return { props, adapters: null };
}

// listed asks for a list that servers may not have.
async function listed(path) {
  try {
    const list = await api.json(path);
    return Array.isArray(list) ? list : [];
  } catch (e) {
    if (e.status === 404 || e.status === 501) return [];
    throw e;
  }
}

// adapterName is what settings call an adapter: files of several may have the same name.
export const adapterName = (a) => a?.name ?? a?.path;

// learn asks about a model anew, which is loaded for that if need be, and returns what the server says
// of it: after a restart the ids of adapters may be those of others.
export async function learn(model) {
  const ids = (await api.json('v1/models')).data.map((x) => x.id),
    name = model || ids[0];
  let about = await learnt(model, ids).catch((e) => {
    if (e.code !== 'model_not_loaded') throw e;
  });
  if (!about?.adapters) {
    await api.call('tokenize', { content: '', ...(name && { model: name }) });
    about = await learnt(model, ids);
  }
  told.value = new Map([...told.value, [model, about]]);
  return about;
}

// A chat with another model has other adapters and another context.
effect(() => {
  const { model } = chat.value;
  if (!model || !models.value.includes(model) || told.peek().has(model)) return;
  const take = (about) => (told.value = new Map([...told.value, [model, about]]));
  learnt(model, models.peek()).then(take, () => {}); // it is not loaded: an answer will tell
});

// askAgain asks who comes back to the page: the server may be another by now.
function askAgain() {
  if (!document.hidden && !denied && (!asked || performance.now() - asked > 5000)) ask();
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

// start shows what the address names. What is being written in a chat is stopped by `halt`.
export async function start(halt) {
  keep.begin(halt);
  addEventListener('hashchange', route);
  addEventListener('focus', askAgain);
  document.addEventListener('visibilitychange', askAgain);
  ask();
  try {
    heads.value = await store.heads();
  } catch (e) {
    failed(e);
  }
  await route();
}
