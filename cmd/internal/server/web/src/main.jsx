// The page: its frame, and the keys that work everywhere.
import { render } from 'preact';
import { useState } from 'preact/hooks';
import { needKey, reachable, sendable, setKey, wrongKey } from './api.js';
import { Chat } from './chat.jsx';
import { busy, halt, stop } from './generate.js';
import { List } from './list.jsx';
import { ServerView } from './server.jsx';
import { Settings } from './settings.jsx';
import {
  address,
  ask,
  begin,
  chat,
  close,
  closePanel,
  focusDraft,
  go,
  models,
  notices,
  panel,
  spoken,
  start,
  view,
} from './state.js';
import { titleOf } from './tree.js';

function Page() {
  const at = view.value;
  document.title = at === 'server' ? 'Server · mptgo' : `${titleOf(chat.value)} · mptgo`;
  return (
    <div class={`page ${panel.value && 'with-' + panel.value}`}>
      {at === 'chat' && (
        <a class="skip" href="#draft" onClick={skip}>
          Skip to the message field
        </a>
      )}
      <List />
      <div class="middle" inert={covered(at)}>
        <Top />
        <Notices />
        {at === 'server' ? <ServerView /> : <Chat />}
      </div>
      {at === 'chat' && panel.value === 'settings' && <Settings />}
      {needKey.value && <KeyPrompt />}
      <div class="hidden" aria-live="polite" role="status" id="spoken">
        {spoken.value}
      </div>
    </div>
  );
}

// covered reports whether a panel lies over all else, as it does where there is little room.
const small = matchMedia('(max-width: 800px)');
const covered = (at) => small.matches && (panel.value === 'list' || (panel.value === 'settings' && at === 'chat'));

function skip(e) {
  e.preventDefault();
  document.getElementById('draft')?.focus();
}

const toggle = (name) => (panel.value = panel.value === name ? '' : name);

function Top() {
  const at = view.value,
    c = chat.value;
  return (
    <header class="top">
      <button
        type="button"
        class="only-small"
        aria-expanded={panel.value === 'list'}
        aria-controls="list"
        onClick={() => toggle('list')}
      >
        Chats
      </button>
      <nav aria-label="Views">
        <button type="button" aria-current={at === 'chat' ? 'page' : undefined} onClick={() => go(address(c))}>
          Chat
        </button>
        <button type="button" aria-current={at === 'server' ? 'page' : undefined} onClick={() => go('#/server')}>
          Server
        </button>
      </nav>
      <span class="model">{(at === 'chat' && c.model) || (models.value[0] ?? '')}</span>
      {at === 'chat' && (
        <button type="button" aria-expanded={panel.value === 'settings'} onClick={() => toggle('settings')}>
          Settings
        </button>
      )}
    </header>
  );
}

function Notices() {
  return (
    <div class="notices" role="alert">
      {!reachable.value && (
        <p class="notice bad">
          The server does not answer. Is <code>mpt serve</code> running? You can read your chats meanwhile.
        </p>
      )}
      {notices.value.map((n) => (
        <p key={n.id} class={n.bad ? 'notice bad' : 'notice'}>
          <span>{n.text}</span>
          {n.action && (
            <button type="button" onClick={() => (n.act(), close(n))}>
              {n.action}
            </button>
          )}
          <button type="button" aria-label="Close this notice" title="Close" onClick={() => close(n)}>
            ×
          </button>
        </p>
      ))}
    </div>
  );
}

const unsendable = 'This key has characters that no browser can send: keys consist of Latin letters, digits and signs.';

function KeyPrompt() {
  const [bad, say] = useState(wrongKey.value ? 'The server refused this key.' : '');
  const take = (e) => {
    e.preventDefault();
    const f = e.target.elements,
      key = f.key.value.trim();
    if (!sendable(key)) return say(unsendable);
    setKey(key, f.keep.checked);
    ask();
  };
  return (
    <dialog
      class="key"
      aria-labelledby="key-title"
      ref={(d) => d && !d.open && d.showModal()}
      onCancel={() => (needKey.value = false)}
    >
      <form onSubmit={take}>
        <h2 id="key-title">The server wants an API key</h2>
        <p>
          It was started with <code>--api-key</code>. Ask whoever runs the server for the key.
        </p>
        <label>
          Key{' '}
          <input
            name="key"
            type="password"
            autocomplete="off"
            required
            aria-describedby="key-bad"
            aria-invalid={bad ? 'true' : undefined}
          />
        </label>
        <p class="bad" id="key-bad" role="alert">
          {bad}
        </p>
        <label class="check">
          <input name="keep" type="checkbox" /> Remember it in this browser
        </label>
        <p class="row">
          <button type="submit" class="main">
            Use the key
          </button>
          <button type="button" onClick={() => (needKey.value = false)}>
            Not now
          </button>
        </p>
      </form>
    </dialog>
  );
}

// keys are those that work everywhere.
function keys(e) {
  const command = e.ctrlKey || e.metaKey;
  if (command && !e.shiftKey && e.key.toLowerCase() === 'k') {
    e.preventDefault();
    panel.value = matchMedia('(max-width: 800px)').matches ? 'list' : panel.value;
    const search = () => document.getElementById('search')?.focus();
    search(); // at once, for what is typed next
    setTimeout(search); // when a list that was hidden is there
  } else if (command && e.shiftKey && e.key.toLowerCase() === 'o') {
    e.preventDefault();
    begin();
  } else if (e.key === 'Escape' && !e.defaultPrevented && !document.querySelector('dialog[open]')) {
    const node = busy(chat.value);
    if (node) stop(node);
    else if (panel.value) closePanel();
  }
}

addEventListener('keydown', keys);
render(<Page />, document.body);
await start(halt);
focusDraft();
