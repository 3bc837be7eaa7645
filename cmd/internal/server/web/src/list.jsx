// The list of conversations: search, rename, delete, export, import.
import { signal } from '@preact/signals';
import { begin, chat, closePanel, exportChats, go, heads, importChats, remove, rename } from './state.js';
import { halt } from './generate.js';
import * as store from './store.js';

const wanted = signal('');
const found = signal(null); // ids, or null for all
const renaming = signal('');

async function search(e) {
  const text = (wanted.value = e.target.value);
  if (!text.trim()) return (found.value = null);
  const titles = heads.value.filter((h) => h.title.toLowerCase().includes(text.trim().toLowerCase())).map((h) => h.id);
  const inside = await store.find(text.trim()).catch(() => new Set());
  if (wanted.value === text) found.value = new Set([...titles, ...inside]);
}

export function List() {
  const shown = heads.value.filter((h) => !found.value || found.value.has(h.id));
  return (
    <aside id="list" class="list" aria-label="Chats">
      <div class="row">
        <button type="button" class="main grow" onClick={begin} title="Ctrl+Shift+O">
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
      />
      <p class="hidden" role="status">
        {found.value ? `${shown.length} found` : ''}
      </p>
      <ul class="chats">
        {shown.map((h) => (
          <Item key={h.id} head={h} />
        ))}
      </ul>
      {found.value && !shown.length && <p class="quiet">No chat has that.</p>}
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
    <li class={here ? 'here' : ''}>
      <button
        type="button"
        class="open"
        aria-current={here ? 'true' : undefined}
        onClick={() => go('#/chat/' + head.id)}
      >
        {head.title}
      </button>
      <span class="tools">
        <button type="button" aria-label={`Rename “${head.title}”`} onClick={() => (renaming.value = head.id)}>
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

async function drop(id) {
  await halt(id);
  await remove(id);
}

function Rename({ head }) {
  const done = (e) => {
    if (renaming.value !== head.id) return;
    renaming.value = '';
    rename(head.id, e.target.value);
  };
  const key = (e) => {
    if (e.key === 'Enter') done(e);
    if (e.key === 'Escape') {
      e.preventDefault();
      renaming.value = '';
    }
  };
  return (
    <input
      aria-label="New name"
      value={head.title}
      ref={(i) => i && setTimeout(() => i.focus())}
      onKeyDown={key}
      onBlur={done}
    />
  );
}
