// A message of a conversation, with what can be done about it.
import { Component } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { again, answer, busy, foreign, goOn, known, retry, revise, send } from './generate.js';
import { Guard } from './guard.jsx';
import { AsWritten, copyText, Markdown } from './markdown.jsx';
import { advanced, chat, contextSize, focusDraft, isServed, models, notice, panel } from './state.js';
import { elsewhere } from './tabs.js';
import { Tokens } from './tokens.jsx';
import { stamped } from './tree.js';

// Message is drawn again only if something about it has changed.
export class Message extends Component {
  shouldComponentUpdate(next, state) {
    const p = this.props;
    return (
      state !== this.state ||
      ['node', 'rev', 'live', 'last', 'place'].some((k) => next[k] !== p[k]) ||
      next.sisters.length !== p.sisters.length
    );
  }

  render({ node, ...rest }) {
    const Kind = node.role === 'user' ? Question : Answer;
    return (
      <Guard instead={(e) => <Broken node={node} error={e} />}>
        <Kind node={node} {...rest} />
      </Guard>
    );
  }
}

const written = (node) => (error) => <AsWritten text={node.text} why={`drawing it failed (${error.message})`} />;

const Broken = ({ node, error }) => (
  <article class={node.role === 'user' ? 'message user' : 'message model'} aria-busy={false}>
    {written(node)(error)}
  </article>
);

// current is the conversation now: what a message was drawn with may be older.
const current = () => chat.value;

function free() {
  const own = busy(current());
  if (!own && !foreign(current())) return true;
  notice(
    own
      ? 'An answer is being written. Stop it first, or wait for its end.'
      : 'Another tab is writing an answer in this chat. Wait for its end, or stop it there.',
    { seconds: 8 },
  );
  return false;
}

// begin starts something by a button that goes away then: whoever came to it by keyboard goes on writing.
function begin(start) {
  if (!free()) return;
  start();
  setTimeout(() => document.activeElement === document.body && matchMedia('(hover: hover)').matches && focusDraft());
}

// useEdit is the state of a message that may be edited. The focus goes back to the button when it is not.
function useEdit() {
  const [editing, set] = useState(false),
    box = useRef();
  const end = () => {
    set(false);
    setTimeout(() => box.current?.querySelector('[data-edit]')?.focus());
  };
  return { editing, box, begin: () => set(true), end };
}

function Forks({ node, place, sisters }) {
  if (sisters.length < 2) return null;
  const pick = (i) => {
    const c = current();
    c.pick[node.parent] = sisters[i].id;
    advanced(c); // to look is not to want a chat back that another tab has deleted
  };
  return (
    <span class="forks" role="group" aria-label="Versions">
      <button
        type="button"
        aria-label="Previous version"
        title="Previous version"
        disabled={place === 0}
        onClick={() => pick(place - 1)}
      >
        ‹
      </button>
      <span>
        {place + 1} of {sisters.length}
      </span>
      <button
        type="button"
        aria-label="Next version"
        title="Next version"
        disabled={place === sisters.length - 1}
        onClick={() => pick(place + 1)}
      >
        ›
      </button>
    </span>
  );
}

function Edit({ text, done, word, files }) {
  const take = (e) => {
    e.preventDefault();
    const value = e.target.elements.text.value;
    if (value.trim() || files) done(value);
  };
  const key = (e) => {
    if (e.key === 'Enter' && !e.shiftKey && !e.isComposing) {
      e.preventDefault();
      e.target.form.requestSubmit();
    } else if (e.key === 'Escape') {
      e.preventDefault();
      done(null);
    }
  };
  return (
    <form class="edit" onSubmit={take}>
      <textarea
        name="text"
        aria-label="Edit the message"
        rows={Math.min(12, text.split('\n').length + 1)}
        onKeyDown={key}
        ref={(a) => a && document.activeElement !== a && !a.dataset.seen && ((a.dataset.seen = '1'), a.focus())}
      >
        {text}
      </textarea>
      <p class="row">
        <button type="submit" class="main">
          {word}
        </button>
        <button type="button" onClick={() => done(null)}>
          Cancel
        </button>
      </p>
    </form>
  );
}

const copy = (e, node) => copyText(node.text, e.currentTarget);

function Question({ node, ...rest }) {
  const { editing, box, ...edit } = useEdit();
  const done = (text) => {
    if (text !== null && !free()) return;
    edit.end();
    if (text !== null) {
      send(current(), text, node.files ?? [], node);
      focusDraft();
    }
  };
  return (
    <article class="message user" aria-label="You" ref={box}>
      {(node.files ?? []).map((f, i) => (
        <FileView key={i} file={f} />
      ))}
      {editing ? (
        <Edit text={node.text} done={done} word="Send" files={node.files} />
      ) : (
        <div class="said">{node.text}</div>
      )}
      <div class="tools">
        <Forks node={node} {...rest} />
        <button type="button" data-edit onClick={edit.begin}>
          Edit
        </button>
        <button type="button" onClick={(e) => copy(e, node)}>
          Copy
        </button>
        {rest.last && (
          <button type="button" onClick={() => begin(() => answer(current(), node))}>
            Get an answer
          </button>
        )}
      </div>
    </article>
  );
}

export function FileView({ file, drop }) {
  return (
    <details class="file">
      <summary>
        {file.name} <span class="quiet">({file.text.length.toLocaleString()} characters)</span>
        {drop && (
          <button type="button" aria-label={`Remove ${file.name}`} onClick={(e) => (e.preventDefault(), drop())}>
            ×
          </button>
        )}
      </summary>
      <pre tabIndex={0} role="group" aria-label={file.name}>
        {file.text.length > 20000 ? file.text.slice(0, 20000) + '\n…' : file.text}
      </pre>
    </details>
  );
}

function Answer({ node, live, last, ...rest }) {
  const { editing, box, ...edit } = useEdit(),
    [inside, look] = useState(false),
    foreign = elsewhere.value.has(node.id);
  const done = (text) => {
    if (text !== null && !free()) return;
    edit.end();
    if (text !== null && text !== node.text) revise(current(), node, text);
  };
  return (
    <article class="message model" aria-label="Answer" aria-busy={!!live} ref={box}>
      {editing ? (
        <Edit text={node.text} done={done} word="Keep as another version" />
      ) : inside && !live ? (
        <Tokens node={node} />
      ) : (
        <Guard instead={written(node)}>
          <Markdown text={node.text} live={!!live} />
        </Guard>
      )}
      {live ? <Progress live={live} /> : foreign ? <Foreign /> : <Outcome node={node} rev={rest.rev} />}
      {!live && !foreign && (
        <div class="tools">
          <Forks node={node} {...rest} />
          <button type="button" onClick={(e) => copy(e, node)}>
            Copy
          </button>
          <button type="button" data-edit onClick={edit.begin}>
            Edit
          </button>
          <button type="button" onClick={() => begin(() => answer(current(), current().nodes[node.parent]))}>
            Another answer
          </button>
          {node.seed && node.recipe && !node.error && isServed(node.recipe.model) && (
            <button
              type="button"
              title="Write this answer again with its seed, and check that it is the same"
              onClick={() => begin(() => again(current(), node))}
            >
              Repeat exactly
            </button>
          )}
          {last && node.finish !== 'stop' && !node.error && (
            <button type="button" onClick={() => begin(() => (node.text ? goOn : retry)(current(), node))}>
              {node.text ? 'Continue' : 'Try again'}
            </button>
          )}
          {known(node) && (
            <button
              type="button"
              aria-pressed={inside}
              title="Show each token, how likely it was, and what else might have come"
              onClick={() => look(!inside)}
            >
              Tokens
            </button>
          )}
        </div>
      )}
    </article>
  );
}

const fixed = (x, digits) => x.toLocaleString(undefined, { maximumFractionDigits: digits });

const roomFor = (used) => {
  const size = contextSize();
  return size && `${Math.max(0, size - used).toLocaleString()} of ${size.toLocaleString()} tokens left in this chat`;
};

const Foreign = () => <p class="state writing">Another tab is writing this answer.</p>;

function Progress({ live }) {
  const p = live.progress;
  if (live.waiting) return <p class="state">{live.waiting}</p>;
  if (!live.first) {
    if (!p || p.processed >= p.total)
      return <p class="state">{p ? 'Writing the first word …' : 'Waiting for the server …'}</p>;
    return (
      <p class="state">
        <label>
          Reading the chat: {p.processed} of {p.total} tokens <progress max={p.total} value={p.processed} />
        </label>
      </p>
    );
  }
  const seconds = (live.now - live.first) / 1000;
  return (
    <p class="state writing">
      {live.from + live.n} tokens{seconds > 0.2 && `, ${fixed(live.n / seconds, 1)} a second`}
      {p && contextSize() && ` · ${roomFor(p.total + live.n)}`}
    </p>
  );
}

// Outcome says how an answer ended, and is drawn again when its message has another rev.
function Outcome({ node, rev }) {
  const t = node.timings,
    used = t && t.cache_n + t.prompt_n + t.predicted_n;
  const facts = [
    t && `${node.written ?? t.predicted_n} tokens, ${fixed(t.predicted_per_second, 1)} a second`,
    t && `read ${t.prompt_n} tokens${t.cache_n ? `, knew ${t.cache_n} from before` : ''}`,
    t && roomFor(used),
    ended(node, used),
    node.seed && `seed ${node.seed}`,
  ];
  return (
    <>
      {node.error && <Failure node={node} rev={rev} />}
      {node.same !== undefined && (
        <p class={node.same ? 'state good' : 'state bad'}>
          {node.same
            ? 'The same answer, to the last byte.'
            : node.elsewhere
              ? 'A different answer: the server now has another model or version.'
              : 'A different answer, which must not happen. Please report it with the seed.'}
        </p>
      )}
      <Facts list={facts.filter(Boolean)} />
    </>
  );
}

// ended says why an answer ended, if it was not by itself.
function ended(node, used) {
  if (node.error) return '';
  const size = contextSize();
  if (node.finish === 'length')
    return size && used >= size ? 'ended: the context is full' : 'ended at the limit of max_tokens';
  return (
    { stop: '', stopped: 'you stopped it', edited: 'edited by you' }[node.finish] ?? 'not finished: the page was closed'
  );
}

const Facts = ({ list }) => (list.length ? <p class="state">{list.join(' · ')}</p> : null);

function Failure({ node }) {
  const cut = node.text && node.error.kind !== 'context_length_exceeded',
    noModel = node.error.kind === 'model_not_found' && !node.twin && models.value.length > 0;
  const again = () => retry(current(), node);
  const other = () => {
    const c = current();
    c.model = '';
    stamped(c, 'model');
    again();
  };
  return (
    <div class="failure" role="group" aria-label="What went wrong">
      <p>{node.error.message}</p>
      <p class="row">
        {noModel && (
          <button type="button" onClick={() => begin(other)}>
            Use {models.value[0]}
          </button>
        )}
        <button type="button" onClick={() => begin(again)}>
          {cut ? 'Continue' : 'Try again'}
        </button>
        {panel.value !== 'settings' && (
          <button type="button" onClick={() => (panel.value = 'settings')}>
            Settings
          </button>
        )}
      </p>
    </div>
  );
}
