// Where messages are written: text, dropped files, long pastes.
import { useEffect, useRef, useState } from 'preact/hooks';
import * as api from './api.js';
import { draftOf, dropDraft, redraft } from './drafts.js';
import { busy, foreign, messagesOf, send, stopByClick, tokensIn } from './generate.js';
import { chat, contextSize, focusDraft, live, notice } from './state.js';
import { Guard } from './guard.jsx';
import { FileView } from './message.jsx';
import { path } from './tree.js';

const long = 2000; // characters of a paste that becomes a file
const mostBytes = 4 << 20; // of a file

// textOf reads a file that has to be text.
async function textOf(file) {
  if (file.size > mostBytes) throw new Error(`it has ${Math.round(file.size / 1e6)} MB, and 4 MB is the most`);
  const bytes = await file.arrayBuffer();
  let text;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new Error('it is not a text file (in UTF-8)');
  }
  if (text.includes('\0')) throw new Error('it is not a text file');
  return text;
}

export function Composer({ id }) {
  const [round, again] = useState(0);
  const drop = () => {
    dropDraft(id);
    again(round + 1);
  };
  return (
    <Guard key={round} instead={(e) => <Broken text={draftOf(id).value.text} error={e} drop={drop} />}>
      <Form id={id} />
    </Guard>
  );
}

// Broken is there in place of a draft that cannot be shown.
const Broken = ({ text, error, drop }) => (
  <div class="composer">
    <pre>{text.slice(0, 20000)}</pre>
    <p class="bad">This draft cannot be shown ({error.message}).</p>
    <button type="button" onClick={drop}>
      Discard it
    </button>
  </div>
);

function Form({ id }) {
  const area = useRef();
  const draft = draftOf(id).value,
    [over, hover] = useState(false);
  const attach = (files) => redraft(id, { files: [...draftOf(id).value.files, ...files] });
  const size = useSize(draft);
  live.value; // what is being written decides about the button
  const running = busy(chat.value),
    other = foreign(chat.value),
    empty = !draft.text.trim() && !draft.files.length;

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
    if (running || empty) return;
    if (other)
      return notice('Another tab is writing an answer in this chat. Wait for its end, or stop it there.', {
        seconds: 8,
      });
    send(chat.value, draft.text, draft.files);
    dropDraft(id);
  };
  const halt = (e) => {
    stopByClick(running, e.timeStamp);
    focusDraft();
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
        <FileView key={i} file={f} drop={() => redraft(id, { files: draft.files.filter((_, k) => k !== i) })} />
      ))}
      <textarea
        id="draft"
        ref={area}
        rows={1}
        value={draft.text}
        aria-label="Your message"
        aria-describedby="draft-hint"
        placeholder="Write a message"
        onInput={(e) => redraft(id, { text: e.target.value })}
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
          {size || 'Enter sends, Shift+Enter begins a new line'}
        </span>
        {running ? (
          <button type="button" class="main" onClick={halt} title="Stop writing (Esc)">
            Stop
          </button>
        ) : (
          <button type="submit" class="main" disabled={empty}>
            Send
          </button>
        )}
      </div>
    </form>
  );
}

// useSize says how much of the context the chat takes with a draft, once that may matter.
function useSize(draft) {
  const [state, set] = useState('');
  const c = chat.value,
    most = contextSize(),
    t = path(c).findLast((n) => n.timings)?.timings;
  const matters =
    most &&
    (draft.text.length >= 200 || draft.files.length > 0 || (draft.text && t && 4 * usedOf(t) > 3 * most)) &&
    api.reachable.peek() &&
    !api.needKey.peek();
  useEffect(() => {
    if (!matters) return set('');
    let over = false;
    const timer = setTimeout(async () => {
      const said = await tokensIn(messagesOf([...path(c), { role: 'user', ...draft }], c.system), c.model).then(
        (n) => describe(n, most),
        () => '',
      );
      if (!over) set(said);
    }, 500);
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [draft, matters, most, c.model, path(c).length, !!busy(c)]);
  return state;
}

const usedOf = (t) => t.cache_n + t.prompt_n + t.predicted_n;

function describe(count, most) {
  const [n, all] = [count, most].map((x) => x.toLocaleString());
  return count >= most
    ? `Too long: with this message the chat has ${n} tokens, and the model can read ${all}`
    : `${n} of ${all} tokens with this message, ${(most - count).toLocaleString()} left for the answer`;
}
