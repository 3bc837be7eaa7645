// The list of conversations: search, rename, delete, export, import.
import { signal } from '@preact/signals';
import { begin, chat, closePanel, exportChats, focusDraft, go, heads, importChats, open } from './state.js';
import { remove, rename } from './state.js';
import { halt } from './generate.js';
import * as store from './store.js';

const wanted = signal('');
const found = signal(null); // ids, or null for all
const renaming = signal('');
const kept = signal(''); // the chat whose buttons stay while a pointer is pressed

async function search(e) {
  const text = (wanted.value = e.target.value);
  if (!text.trim()) return (found.value = null);
  const titles = heads.value.filter((h) => h.title.toLowerCase().includes(text.trim().toLowerCase())).map((h) => h.id);
  const want = text.trim().toLowerCase();
  const here = [...open.values()].filter((c) => store.holds(c, want)).map((c) => c.id); // it may be stored nowhere
  const inside = await store.find(want).catch(() => []);
  if (wanted.value === text) found.value = new Set([...titles, ...here, ...inside]);
}

// leave has Escape clear the search; it stops no answer.
function leave(e) {
  if (e.key !== 'Escape') return;
  e.preventDefault();
  if (wanted.value) wanted.value = '';
  else if (getComputedStyle(document.getElementById('list')).position === 'fixed') closePanel();
  else focusDraft();
  found.value = null;
}

// keep has the buttons of the chat with the focus stay while a pointer is pressed: the list would
// move as they go with the focus, and the release miss what was pressed.
function keep() {
  kept.value = document.activeElement?.closest('.chats li')?.querySelector('[data-chat]')?.dataset.chat ?? '';
  const end = () => setTimeout(() => (kept.value = ''));
  addEventListener('pointerup', end, { once: true });
  addEventListener('pointercancel', end, { once: true });
}

export function List() {
  const shown = heads.value.filter((h) => !found.value || found.value.has(h.id));
  return (
    <aside id="list" class="list" aria-label="Chats" onPointerDown={keep}>
      <div class="row">
        <button type="button" class="main grow" onClick={begin} title="Ctrl+Shift+O" id="new-chat">
          New chat
        </button>
        <button type="button" class="only-small" onClick={closePanel}>
          Close
        </button>
      </div>
      <input
        id="search"
        type="search"
        placeholder="Search (Ctrl+K)"
        aria-label="Search in chats"
        value={wanted.value}
        onInput={search}
        onKeyDown={leave}
      />
      <p class="hidden" role="status">
        {found.value ? `${shown.length} found` : ''}
      </p>
      <ul class="chats">
        {shown.map((h) => (
          <Item key={h.id} head={h} />
        ))}
      </ul>
      {found.value && !shown.length && <p class="quiet">No chat has this text.</p>}
      <div class="row foot">
        <button type="button" onClick={() => exportChats()} disabled={!heads.value.length}>
          Export all
        </button>
        <label class="button">
          Import
          <input type="file" accept=".json,application/json" class="hidden" onChange={take} />
        </label>
      </div>
    </aside>
  );
}

async function take(e) {
  const [file] = e.target.files;
  if (file) await importChats(file, halt);
  e.target.value = '';
}

function Item({ head }) {
  const here = head.id === chat.value.id;
  if (renaming.value === head.id)
    return (
      <li>
        <Rename head={head} />
      </li>
    );
  return (
    <li class={here ? 'here' : kept.value === head.id ? 'kept' : ''}>
      <button
        type="button"
        class="open"
        data-chat={head.id}
        aria-current={here ? 'true' : undefined}
        onClick={() => go('#/chat/' + head.id)}
      >
        {head.title}
      </button>
      <span class="tools">
        <button
          type="button"
          aria-label={`Rename “${head.title}”`}
          data-rename={head.id}
          onClick={() => (renaming.value = head.id)}
        >
          Rename
        </button>
        <button type="button" aria-label={`Export “${head.title}”`} onClick={() => exportChats(head.id)}>
          Export
        </button>
        <button type="button" aria-label={`Delete “${head.title}”`} onClick={() => drop(head.id)}>
          Delete
        </button>
      </span>
    </li>
  );
}

// drop deletes a chat. The focus goes to its neighbour, for the button that had it is gone.
async function drop(id) {
  const shown = [...document.querySelectorAll('[data-chat]')].map((b) => b.dataset.chat),
    at = shown.indexOf(id);
  await halt(id);
  await remove(id);
  setTimeout(() => {
    const to =
      document.querySelector(`[data-chat="${shown[at + 1] ?? shown[at - 1]}"]`) ?? document.getElementById('new-chat');
    if (to.checkVisibility?.() === false) focusDraft();
    else to.focus();
  });
}

function Rename({ head }) {
  const end = () => {
    renaming.value = '';
    setTimeout(() => {
      document.querySelector(`[data-chat="${head.id}"]`)?.focus(); // which shows the buttons
      document.querySelector(`[data-rename="${head.id}"]`)?.focus();
    });
  };
  const done = (e) => {
    if (renaming.value !== head.id) return;
    renaming.value = '';
    rename(head.id, e.target.value);
  };
  const key = (e) => {
    if (e.key === 'Enter' && !e.isComposing) {
      done(e);
      end();
    }
    if (e.key === 'Escape') {
      e.preventDefault();
      end();
    }
  };
  return <input aria-label="New name" defaultValue={head.title} ref={focusOnce} onKeyDown={key} onBlur={done} />;
}

// focusOnce: what is typed and marked stays when the list is drawn again.
function focusOnce(input) {
  if (!input || input.dataset.seen) return;
  input.dataset.seen = '1';
  setTimeout(() => (input.focus(), input.select()));
}
