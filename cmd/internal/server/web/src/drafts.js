// What is written but not sent: a draft for each chat, which outlives a reload of its tab where the
// browser allows it. The chat that has no message yet is kept with its settings in the same way.
import { signal } from '@preact/signals';

const nothing = { text: '', files: [] };
const known = new Map();

const name = (id) => 'mptgo.draft.' + id;

function read(key) {
  try {
    return JSON.parse(sessionStorage.getItem(key));
  } catch {
    return null;
  }
}

function write(key, value) {
  try {
    if (value) sessionStorage.setItem(key, JSON.stringify(value));
    else sessionStorage.removeItem(key);
  } catch {
    try {
      sessionStorage.removeItem(key); // too large: an earlier state would be wrong
    } catch {
      /* forbidden: it is in memory */
    }
  }
}

const isDraft = (d) => typeof d?.text === 'string' && Array.isArray(d.files);

// draftOf returns the signal of a chat's draft: {text, files}.
export function draftOf(id) {
  if (!known.has(id)) {
    const kept = read(name(id));
    known.set(id, signal(isDraft(kept) ? kept : nothing));
  }
  return known.get(id);
}

// redraft changes parts of a draft.
export function redraft(id, more) {
  const d = draftOf(id);
  d.value = { ...d.value, ...more };
  write(name(id), hasDraft(id) ? d.value : null);
}

export const hasDraft = (id) => !!draftOf(id).value.text || draftOf(id).value.files.length > 0;

export const dropDraft = (id) => redraft(id, nothing);

// keepBlank keeps the chat that has no message yet, or forgets it.
export const keepBlank = (c) => write('mptgo.new', c && { ...c, pick: {}, nodes: {} });

// blankOf returns the chat that was kept, under another id: a copy of this tab may have it, too.
export function blankOf(newID) {
  const c = read('mptgo.new');
  if (!c || typeof c.id !== 'string' || typeof c.params !== 'object') return null;
  const id = newID(),
    draft = draftOf(c.id).value;
  if (hasDraft(c.id)) redraft(id, draft);
  dropDraft(c.id);
  const blank = { ...c, id, stamps: c.stamps ?? {}, pick: {}, nodes: {} };
  keepBlank(blank);
  return blank;
}
