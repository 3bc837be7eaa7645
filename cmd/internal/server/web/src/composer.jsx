// Where messages are written: text, dropped files, long pastes.
import { useEffect, useRef, useState } from 'preact/hooks';
import * as api from './api.js';
import { busy, contentOf, send, stop } from './generate.js';
import { chat, live, notice, props } from './state.js';
import { Guard } from './guard.jsx';
import { FileView } from './message.jsx';
import { path } from './tree.js';

const long = 2000; // characters of a paste that becomes a file
const mostBytes = 4 << 20; // of a file

// Drafts outlive a reload, where the browser allows it.
const name = (id) => 'mptgo.draft.' + id;

function recall(id) {
  try {
    return JSON.parse(sessionStorage.getItem(name(id))) ?? { text: '', files: [] };
  } catch {
    return { text: '', files: [] };
  }
}

function keep(id, draft) {
  try {
    if (draft.text || draft.files.length) sessionStorage.setItem(name(id), JSON.stringify(draft));
    else sessionStorage.removeItem(name(id));
  } catch {
    /* too large, or forbidden */
  }
}

// textOf reads a file that has to be text.
async function textOf(file) {
  if (file.size > mostBytes) throw new Error(`it has ${Math.round(file.size / 1e6)} MB, and at most 4 are possible`);
  const bytes = await file.arrayBuffer();
  let text;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new Error('it is not text in UTF-8');
  }
  if (text.includes('\0')) throw new Error('it is not text');
  return text;
}

const slotOf = (c) => (path(c).length ? c.id : 'new');

export function Composer() {
  const [slot] = useState(slotOf(chat.value)),
    [round, again] = useState(0);
  const drop = () => {
    keep(slot, { text: '', files: [] });
    again(round + 1);
  };
  return (
    <Guard key={round} instead={(e) => <Broken text={recall(slot).text} error={e} drop={drop} />}>
      <Form slot={slot} />
    </Guard>
  );
}

// Broken is there in place of a draft that cannot be shown.
const Broken = ({ text, error, drop }) => (
  <div class="composer">
    <pre>{text.slice(0, 20000)}</pre>
    <p class="bad">This draft cannot be shown ({error.message}).</p>
    <button type="button" onClick={drop}>
      Throw it away
    </button>
  </div>
);

function Form({ slot }) {
  const area = useRef();
  const [draft, set] = useState(() => recall(slot)),
    [over, hover] = useState(false);
  const change = (more) =>
    set((d) => {
      const next = { ...d, ...(typeof more === 'function' ? more(d) : more) };
      keep(slot, next);
      return next;
    });
  const attach = (files) => change((d) => ({ files: [...d.files, ...files] }));
  const tokens = useTokens(draft);
  live.value; // what is being written decides about the button
  const running = busy(chat.value);

  useEffect(() => {
    const a = area.current;
    a.style.height = 'auto';
    a.style.height = Math.min(a.scrollHeight + 2, innerHeight * 0.4) + 'px';
  }, [draft.text]);

  const take = async (list) => {
    for (const file of list) {
      try {
        attach([{ name: file.name, text: await textOf(file) }]);
      } catch (e) {
        notice(`“${file.name}” cannot be attached: ${e.message}.`, { bad: true });
      }
    }
  };
  const paste = (e) => {
    const text = e.clipboardData.getData('text/plain');
    if (e.clipboardData.files.length && !text) {
      e.preventDefault();
      take(e.clipboardData.files);
    } else if (text.length > long) {
      e.preventDefault();
      attach([{ name: `pasted text ${draft.files.length + 1}.txt`, text }]);
    }
  };
  const submit = (e) => {
    e?.preventDefault();
    if (running || (!draft.text.trim() && !draft.files.length)) return;
    send(chat.value, draft.text, draft.files);
    change({ text: '', files: [] });
  };
  const key = (e) => {
    if (e.key === 'Enter' && !e.shiftKey && !e.isComposing) submit(e);
  };
  const drop = (e) => {
    e.preventDefault();
    hover(false);
    take(e.dataTransfer.files);
  };
  return (
    <form
      class={over ? 'composer over' : 'composer'}
      onSubmit={submit}
      onDrop={drop}
      aria-label="Message"
      onDragOver={(e) => (e.preventDefault(), hover(true))}
      onDragLeave={() => hover(false)}
    >
      {draft.files.map((f, i) => (
        <FileView key={i} file={f} drop={() => change((d) => ({ files: d.files.filter((_, k) => k !== i) }))} />
      ))}
      <textarea
        id="draft"
        ref={area}
        rows={1}
        value={draft.text}
        aria-label="Your message"
        aria-describedby="draft-hint"
        placeholder="Write a message"
        onInput={(e) => change({ text: e.target.value })}
        onKeyDown={key}
        onPaste={paste}
      />
      <div class="row">
        <label class="button">
          Attach
          <input
            type="file"
            multiple
            class="hidden"
            onChange={(e) => (take([...e.target.files]), (e.target.value = ''))}
          />
        </label>
        <span class="quiet grow" id="draft-hint">
          {tokens || 'Enter sends, Shift+Enter is a new line'}
        </span>
        {running ? (
          <button type="button" class="main" onClick={() => stop(running)} title="Esc">
            Stop
          </button>
        ) : (
          <button type="submit" class="main" disabled={!draft.text.trim() && !draft.files.length}>
            Send
          </button>
        )}
      </div>
    </form>
  );
}

// useTokens says how long a draft is, and whether the context has room for it.
function useTokens(draft) {
  const [state, set] = useState('');
  const text = contentOf({ text: draft.text, files: draft.files });
  useEffect(() => {
    if (text.length < 200 || !api.reachable.peek() || api.needKey.peek()) return set('');
    const timer = setTimeout(async () => {
      try {
        const { count } = await api.json('tokenize', { content: text, parse_special: false });
        set(describe(count));
      } catch {
        set('');
      }
    }, 500);
    return () => clearTimeout(timer);
  }, [text]);
  return state;
}

function describe(count) {
  const size = props.value?.default_generation_settings.n_ctx,
    t = path(chat.value).at(-1)?.timings;
  const left = size && size - (t ? t.cache_n + t.prompt_n + t.predicted_n : 0);
  const words = `${count.toLocaleString()} tokens`;
  if (!left) return words;
  return count >= left
    ? `${words}: too long, there is room for ${left.toLocaleString()}`
    : `${words}, room for ${left.toLocaleString()}`;
}
