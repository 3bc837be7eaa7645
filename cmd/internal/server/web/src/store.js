// Conversations in IndexedDB: what lists show in one store, messages in another, and in a third the
// answers that are being written, which are small enough to be written often.
import { merge, titleOf } from './tree.js';

const version = 2;
const graves = 30 * 24 * 3600 * 1000; // milliseconds for which a deleted chat is known as deleted

let opening;

function open() {
  opening ??= opened();
  opening.catch(() => (opening = undefined)); // what is forbidden or full now may be allowed later
  return opening;
}

const opened = () =>
  new Promise((done, failed) => {
    const r = indexedDB.open('mptgo', version);
    r.onupgradeneeded = () => {
      const db = r.result,
        has = db.objectStoreNames;
      if (!has.contains('heads')) db.createObjectStore('heads', { keyPath: 'id' });
      if (!has.contains('chats')) db.createObjectStore('chats', { keyPath: 'id' });
      if (!has.contains('parts')) db.createObjectStore('parts', { keyPath: ['chat', 'id'] });
    };
    r.onsuccess = () => {
      const again = () => (opening = undefined);
      r.result.onclose = again;
      r.result.onversionchange = () => (r.result.close(), again());
      done(r.result);
    };
    r.onerror = () => failed(r.error);
    r.onblocked = () => failed(new Error('another tab has an older version of this page: reload that tab'));
  });

const result = (r) =>
  new Promise((done, failed) => {
    r.onsuccess = () => done(r.result);
    r.onerror = () => failed(r.error);
  });

async function transaction(mode, work) {
  const t = (await open()).transaction(['heads', 'chats', 'parts'], mode);
  const ended = new Promise((done, failed) => {
    t.oncomplete = done;
    t.onabort = t.onerror = () => failed(t.error ?? new DOMException('the transaction was aborted', 'AbortError'));
  });
  ended.catch(() => {});
  const value = await work(t.objectStore('heads'), t.objectStore('chats'), t.objectStore('parts'));
  await ended;
  return value;
}

const headOf = (c) => ({ id: c.id, title: titleOf(c), updated: c.updated });

const partsOf = (id) => IDBKeyRange.bound([id], [id, []]);

const withParts = (chat, parts) => {
  merge(chat, { nodes: Object.fromEntries(parts.map((p) => [p.id, p.node])), updated: 0 });
  return chat;
};

// heads lists all conversations, the latest first.
export async function heads() {
  const list = await transaction('readonly', (h) => result(h.getAll()));
  const old = list.filter((h) => h.gone < Date.now() - graves);
  if (old.length) transaction('readwrite', (h) => old.forEach((x) => h.delete(x.id))).catch(() => {});
  return list.filter((h) => !h.gone).sort((a, b) => b.updated - a.updated);
}

export const load = (id) =>
  transaction('readonly', async (_, c, p) => {
    const chat = await result(c.get(id));
    return chat && withParts(chat, await result(p.getAll(partsOf(id))));
  });

export const all = () =>
  transaction('readonly', async (_, c, p) => {
    const chats = await result(c.getAll()),
      parts = await result(p.getAll());
    return chats.map((x) =>
      withParts(
        x,
        parts.filter((y) => y.chat === x.id),
      ),
    );
  });

// save writes a conversation, and returns true. What another tab has added meanwhile is merged into
// it, but for messages that `mine` names. If another tab has deleted it nothing is written, and
// false returned, unless it is to be `back`.
export const save = (chat, mine, back) =>
  transaction('readwrite', async (h, c, p) => {
    const range = partsOf(chat.id);
    if (!back && (await result(h.get(chat.id)))?.gone) {
      p.delete(range);
      return false;
    }
    const old = await result(c.get(chat.id));
    if (old) merge(chat, withParts(old, await result(p.getAll(range))), mine);
    c.put(chat);
    h.put(headOf(chat));
    p.delete(range);
    return true;
  });

// savePart writes a message that is being written, at once: the tab may be about to close.
export async function savePart(chat, node) {
  const t = (await open()).transaction('parts', 'readwrite'),
    done = result(t.objectStore('parts').put({ chat, id: node.id, node }));
  t.commit?.();
  await done;
}

// remove deletes a conversation. That it is deleted is kept: another tab may still have it.
export async function remove(id) {
  const work = (mark) =>
    transaction('readwrite', (h, c, p) => {
      c.delete(id);
      p.delete(partsOf(id));
      if (mark) h.put({ id, gone: Date.now() });
      else h.delete(id);
    });
  await work(true).catch(() => work(false)); // where the storage is full there is only less
}

// put writes conversations as they are: all or none.
export const put = (chats) =>
  transaction('readwrite', (h, c) => {
    for (const x of chats) {
      c.put(x);
      h.put(headOf(x));
    }
  });

// holds reports whether a conversation has a text in it, which is in small letters.
export function holds(chat, want) {
  const has = (s) => s.toLowerCase().includes(want);
  return (
    has(titleOf(chat)) ||
    Object.values(chat.nodes).some((n) => has(n.text) || n.files?.some((f) => has(f.name) || has(f.text)))
  );
}

// find returns the ids of the stored conversations that hold a text.
export async function find(text) {
  const want = text.toLowerCase(),
    ids = new Set();
  await transaction(
    'readonly',
    (_, c) =>
      new Promise((done, failed) => {
        const r = c.openCursor();
        r.onerror = () => failed(r.error);
        r.onsuccess = () => {
          const at = r.result;
          if (!at) return done();
          if (holds(at.value, want)) ids.add(at.value.id);
          at.continue();
        };
      }),
  );
  return ids;
}

// inWords says what is wrong with the storage, and what to do.
export function inWords(e) {
  const what =
    e?.name === 'QuotaExceededError'
      ? 'The browser’s storage is full'
      : `The browser does not let this page store chats (${e?.message || e})`;
  return (
    `${what}: the latest messages are in this tab only, and are lost when it is closed. The page keeps trying. ` +
    'Export the chats that you need; deleting some makes room.'
  );
}
