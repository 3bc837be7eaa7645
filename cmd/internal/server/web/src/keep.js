// Chats are written to the browser's storage, and again if it did not take them. What other tabs
// write is taken over.
import { signal } from '@preact/signals';
import { chat, close, fresh, heads, live, notice, notices, open, put, remember } from './state.js';
import * as store from './store.js';
import * as tabs from './tabs.js';
import * as tree from './tree.js';

export const unkept = signal(new Set()); // chats whose last changes are in this tab only, by id
export const deleted = new Set();

const back = new Set(); // chats that were deleted, here or in another tab, and are to be kept all the same
const timers = new Map();
const parts = new Map(); // timers of answers that are being written, by message

export const mine = (id) => live.value.has(id);

// later writes a chat soon.
export function later(id) {
  clearTimeout(timers.get(id));
  timers.set(
    id,
    setTimeout(() => write(id), 0),
  );
}

async function write(id) {
  clearTimeout(timers.get(id));
  timers.delete(id);
  const c = fresh(id);
  if (!c || tree.isEmpty(c) || deleted.has(id)) return;
  remember(c); // whether it can be written or not
  try {
    if (!(await store.save(c, mine, back.has(id)))) return goneElsewhere(id);
    back.delete(id);
    if (!deleted.has(id)) takeOver(fresh(id) ?? c, c);
    stored(id);
    tabs.tell({ chat: id });
  } catch (e) {
    refused(id, e);
  }
}

// writePart writes an answer that is being written, every 300 ms, or less often if it takes long.
export function writePart(chatID, node) {
  if (parts.has(node.id)) return;
  const part = { chatID, node, cost: 0 };
  const wait = () => (part.timer = setTimeout(now, Math.max(300, 10 * part.cost)));
  const now = () => {
    const begun = performance.now();
    keepPart(part);
    part.cost = performance.now() - begun;
    wait();
  };
  parts.set(node.id, part);
  wait();
}

export function endPart(node) {
  clearTimeout(parts.get(node.id)?.timer);
  parts.delete(node.id);
}

function keepPart({ chatID, node }) {
  if (deleted.has(chatID)) return;
  node.rev++;
  store.savePart(chatID, node).catch((e) => refused(chatID, e));
  tabs.tell({ chat: chatID, node });
}

// flush writes all that waits: the tab may be about to close.
function flush() {
  for (const id of [...timers.keys()]) write(id);
  for (const part of parts.values()) keepPart(part);
}

let wait = 5000; // milliseconds until it is tried again
let again;

function refused(id, e) {
  if (!unkept.value.has(id)) {
    unkept.value = new Set([...unkept.value, id]);
    notice(store.inWords(e), { bad: true, about: 'storage' });
  }
  again ??= setTimeout(retry, wait);
}

// retry writes what the storage has not taken.
export async function retry() {
  clearTimeout(again);
  again = undefined;
  wait = Math.min(60000, 2 * wait);
  await Promise.all([...unkept.value].map(write));
}

function stored(id) {
  if (!unkept.value.has(id)) return;
  forget(id);
  if (unkept.value.size) return;
  notice('All chats are stored again.', { seconds: 8 });
  const listed = (list) => (heads.value = list); // which may not have been possible before
  store.heads().then(listed, () => {});
}

// forget gives up to write a chat: it is stored, or deleted.
export function forget(id) {
  unkept.value = new Set([...unkept.value].filter((x) => x !== id));
  if (unkept.value.size) return;
  wait = 5000;
  for (const n of notices.value.filter((n) => n.about === 'storage')) close(n);
}

// restore keeps a chat that was deleted.
export function restore(id) {
  deleted.delete(id);
  back.add(id);
  for (const n of notices.value.filter((n) => n.about === id)) close(n);
  return write(id);
}

// goneElsewhere is for a chat that another tab has deleted. What is here of it can still be read and kept.
function goneElsewhere(id) {
  deleted.add(id);
  forget(id);
  heads.value = heads.value.filter((h) => h.id !== id);
  const c = fresh(id);
  if (!c || tree.isEmpty(c)) return;
  notice(`“${tree.titleOf(c)}” was deleted in another tab. It is lost unless you keep it here.`, {
    bad: true,
    about: id,
    action: 'Keep the chat',
    act: () => restore(id),
  });
}

// hear takes over what another tab tells. What it deletes is stopped by `halt` before.
async function hear(what, halt) {
  tabs.look();
  if (what?.gone) {
    deleted.add(what.gone); // nothing writes it from now on
    await halt(what.gone);
    if (chat.value.id !== what.gone) open.delete(what.gone);
    return goneElsewhere(what.gone);
  }
  const id = what?.chat,
    c = fresh(id);
  if (!id || (what.node && !c)) return;
  if (what.node) return takeOver(c, { nodes: { [what.node.id]: what.node }, updated: 0 });
  if (deleted.delete(id)) for (const n of notices.value.filter((n) => n.about === id)) close(n); // it was taken back
  heads.value = await store.heads();
  const other = c && (await store.load(id));
  if (other) takeOver(fresh(id) ?? c, other);
}

// takeOver adds what is known of a chat from elsewhere to its state here.
function takeOver(c, other) {
  if (c !== other) tree.merge(c, other, mine);
  remember(put(c));
}

// latest takes over what is stored of a chat.
export async function latest(id) {
  const c = fresh(id),
    other = await store.load(id).catch(() => null);
  if (c && other) takeOver(fresh(id) ?? c, other);
}

// begin has chats written before the tab closes, and other tabs listened to.
export function begin(halt) {
  tabs.listen((what) => hear(what, halt).catch(() => {})); // what storage refuses is said where it is written
  tabs.look();
  addEventListener('pagehide', flush);
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) return flush();
    tabs.look();
    if (unkept.value.size) retry();
  });
  addEventListener('beforeunload', (e) => {
    if (unkept.value.size) e.preventDefault(); // the browser asks whether to leave
  });
}
