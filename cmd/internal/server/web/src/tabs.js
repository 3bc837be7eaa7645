// Other tabs with this page: who writes which answer, and what they tell each other.
import { signal } from '@preact/signals';

export const elsewhere = signal(new Set()); // the messages that other tabs are writing, by id

// self names this tab.
export const self = Math.random().toString(36).slice(2, 10) || 'tab';

const prefix = 'mptgo.answer.';
const own = new Set();

// hold takes the right to write an answer. It returns what gives the right back, or null while
// another tab has it. Browsers without locks let all of them write; then both texts are kept.
export function hold(id) {
  if (!navigator.locks) return Promise.resolve(() => {});
  return new Promise((done, failed) => {
    let free;
    const ended = navigator.locks.request(prefix + id, { ifAvailable: true }, (lock) => {
      if (!lock) return done(null);
      own.add(id);
      done(async () => {
        free();
        await ended;
        own.delete(id);
      });
      return new Promise((x) => (free = x));
    });
    ended.catch(failed);
  }).catch(() => () => {});
}

let timer;

// look learns what other tabs are writing, and looks again while there is something.
export async function look() {
  clearTimeout(timer);
  const { held = [] } = (await navigator.locks?.query().catch(() => ({}))) ?? {};
  const ids = held
    .filter((l) => l.name.startsWith(prefix))
    .map((l) => l.name.slice(prefix.length))
    .filter((id) => !own.has(id));
  if (ids.length !== elsewhere.value.size || ids.some((id) => !elsewhere.value.has(id))) elsewhere.value = new Set(ids);
  clearTimeout(timer);
  if (ids.length) timer = setTimeout(look, 1000);
}

const channel = globalThis.BroadcastChannel ? new BroadcastChannel('mptgo') : null;

// tell tells the other tabs that a chat was stored, {chat}; that a message of it is being written,
// {chat, node}; or that it was deleted, {gone}.
export const tell = (what) => channel?.postMessage(what);

// listen has a function called with what others tell.
export function listen(heard) {
  if (channel) channel.onmessage = ({ data }) => heard(data);
}
