// Conversations in IndexedDB: what lists show in one store, messages in another.
import { merge, titleOf } from './tree.js';

let opening;

function open() {
  return (opening ??= new Promise((done, failed) => {
    const r = indexedDB.open('mptgo', 1);
    r.onupgradeneeded = () => {
      r.result.createObjectStore('heads', { keyPath: 'id' });
      r.result.createObjectStore('chats', { keyPath: 'id' });
    };
    r.onsuccess = () => {
      r.result.onversionchange = () => r.result.close();
      done(r.result);
    };
    r.onerror = () => failed(r.error);
    r.onblocked = () => failed(new Error('another tab holds an older version: close it'));
  }));
}

const result = (r) =>
  new Promise((done, failed) => {
    r.onsuccess = () => done(r.result);
    r.onerror = () => failed(r.error);
  });

async function transaction(mode, work) {
  const t = (await open()).transaction(['heads', 'chats'], mode);
  const ended = new Promise((done, failed) => {
    t.oncomplete = done;
    t.onabort = t.onerror = () => failed(t.error ?? new DOMException('the transaction was aborted', 'AbortError'));
  });
  ended.catch(() => {});
  const value = await work(t.objectStore('heads'), t.objectStore('chats'));
  await ended;
  return value;
}

const headOf = (c) => ({ id: c.id, title: titleOf(c), updated: c.updated });

// heads lists all conversations, the latest first.
export async function heads() {
  const list = await transaction('readonly', (h) => result(h.getAll()));
  return list.sort((a, b) => b.updated - a.updated);
}

export const load = (id) => transaction('readonly', (_, c) => result(c.get(id)));

export const all = () => transaction('readonly', (_, c) => result(c.getAll()));

// save writes a conversation. What another tab has added meanwhile stays.
export const save = (chat) =>
  transaction('readwrite', async (h, c) => {
    const old = await result(c.get(chat.id));
    if (old) merge(chat, old);
    c.put(chat);
    h.put(headOf(chat));
  });

export const remove = (id) =>
  transaction('readwrite', (h, c) => {
    h.delete(id);
    c.delete(id);
  });

// put writes conversations as they are: all or none.
export const put = (chats) =>
  transaction('readwrite', (h, c) => {
    for (const x of chats) {
      c.put(x);
      h.put(headOf(x));
    }
  });

// find returns the ids of the conversations that hold a text.
export async function find(text) {
  const want = text.toLowerCase(),
    ids = new Set();
  const has = (s) => s.toLowerCase().includes(want);
  await transaction(
    'readonly',
    (_, c) =>
      new Promise((done, failed) => {
        const r = c.openCursor();
        r.onerror = () => failed(r.error);
        r.onsuccess = () => {
          const at = r.result;
          if (!at) return done();
          const x = at.value;
          if (
            has(titleOf(x)) ||
            Object.values(x.nodes).some((n) => has(n.text) || n.files?.some((f) => has(f.name) || has(f.text)))
          )
            ids.add(x.id);
          at.continue();
        };
      }),
  );
  return ids;
}

// inWords says what is wrong with the storage, and what to do.
export function inWords(e) {
  if (e?.name === 'QuotaExceededError') {
    return (
      "The browser's storage is full: the last changes are in this tab only. " +
      'Export what you need, then delete some chats.'
    );
  }
  return (
    `This browser does not let the page keep chats (${e?.message || e}): they are in this tab only. ` +
    'Export them before you close it.'
  );
}
