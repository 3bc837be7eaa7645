// A message of a conversation, with what can be done about it.
import { Component } from 'preact';
import { useState } from 'preact/hooks';
import { again, answer, busy, goOn, known, retry, revise, send } from './generate.js';
import { Guard } from './guard.jsx';
import { AsWritten, copyText, Markdown } from './markdown.jsx';
import { changed, chat, notice, panel, props } from './state.js';
import { Tokens } from './tokens.jsx';

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
  if (!busy(current())) return true;
  notice('An answer is being written: stop it first.', { seconds: 6 });
  return false;
}

function Forks({ node, place, sisters }) {
  if (sisters.length < 2) return null;
  const pick = (i) => {
    const c = current();
    c.pick[node.parent] = sisters[i].id;
    changed(c);
  };
  return (
    <span class="forks" role="group" aria-label="Versions">
      <button type="button" aria-label="The version before" disabled={place === 0} onClick={() => pick(place - 1)}>
        ‹
      </button>
      <span>
        {place + 1} of {sisters.length}
      </span>
      <button
        type="button"
        aria-label="The next version"
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
  const [editing, edit] = useState(false);
  const done = (text) => {
    if (text !== null && !free()) return;
    edit(false);
    if (text !== null) send(current(), text, node.files ?? [], node);
  };
  return (
    <article class="message user" aria-label="You">
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
        <button type="button" onClick={() => edit(true)}>
          Edit
        </button>
        <button type="button" onClick={(e) => copy(e, node)}>
          Copy
        </button>
        {rest.last && (
          <button type="button" onClick={() => free() && answer(current(), node)}>
            Answer
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
  const [editing, edit] = useState(false),
    [inside, look] = useState(false);
  const done = (text) => {
    if (text !== null && !free()) return;
    edit(false);
    if (text !== null && text !== node.text) revise(current(), node, text);
  };
  return (
    <article class="message model" aria-label="Answer" aria-busy={!!live}>
      {editing ? (
        <Edit text={node.text} done={done} word="Keep as another version" />
      ) : inside && !live ? (
        <Tokens node={node} />
      ) : (
        <Guard instead={written(node)}>
          <Markdown text={node.text} live={!!live} />
        </Guard>
      )}
      {live ? <Progress live={live} node={node} /> : <Outcome node={node} />}
      {!live && (
        <div class="tools">
          <Forks node={node} {...rest} />
          <button type="button" onClick={(e) => copy(e, node)}>
            Copy
          </button>
          <button type="button" onClick={() => edit(true)}>
            Edit
          </button>
          <button type="button" onClick={() => free() && answer(current(), current().nodes[node.parent])}>
            Another answer
          </button>
          {node.seed && node.recipe && !node.error && (
            <button type="button" onClick={() => free() && again(current(), node)}>
              Again, the same
            </button>
          )}
          {last && node.text && node.finish !== 'stop' && !node.error && (
            <button type="button" onClick={() => free() && goOn(current(), node)}>
              Continue
            </button>
          )}
          {known(node) && (
            <button type="button" aria-pressed={inside} onClick={() => look(!inside)}>
              Tokens
            </button>
          )}
        </div>
      )}
    </article>
  );
}

const fixed = (x, digits) => x.toLocaleString(undefined, { maximumFractionDigits: digits });

function Progress({ live, node }) {
  const p = live.progress,
    size = props.value?.default_generation_settings.n_ctx;
  if (live.waiting) return <p class="state">{live.waiting}</p>;
  if (!live.first) {
    if (!p || p.processed >= p.total)
      return <p class="state">{p ? 'Thinking of the first word …' : 'Waiting for the server …'}</p>;
    return (
      <p class="state">
        <label>
          Reading {p.processed} of {p.total} tokens <progress max={p.total} value={p.processed} />
        </label>
      </p>
    );
  }
  const seconds = (live.now - live.first) / 1000,
    used = (p?.total ?? 0) + live.n;
  return (
    <p class="state writing">
      {live.n} tokens{seconds > 0.2 && ` · ${fixed(live.n / seconds, 1)} a second`}
      {p && size && ` · room for ${Math.max(0, size - used).toLocaleString()} more`}
    </p>
  );
}

function Outcome({ node }) {
  const t = node.timings,
    size = props.value?.default_generation_settings.n_ctx;
  const used = t && t.cache_n + t.prompt_n + t.predicted_n;
  return (
    <>
      {node.error && <Failure node={node} />}
      {node.same !== undefined && (
        <p class={node.same ? 'state good' : 'state bad'}>
          {node.same
            ? 'The same, to the last byte.'
            : node.elsewhere
              ? 'It came out differently: the server has another model or version than then.'
              : 'It came out differently, which it must not: please report it with the seed.'}
        </p>
      )}
      <Facts
        list={[
          t && `${t.predicted_n} tokens, ${fixed(t.predicted_per_second, 1)} a second`,
          t && `${t.prompt_n} read${t.cache_n ? `, ${t.cache_n} known` : ''}`,
          t && size && `room for ${Math.max(0, size - used).toLocaleString()} more`,
          node.finish === 'length' && (size && used >= size ? 'the context is full' : 'cut at the limit'),
          node.finish === 'stopped' && 'stopped',
          node.finish === 'edited' && 'edited by you',
          node.seed && `seed ${node.seed}`,
        ].filter(Boolean)}
      />
    </>
  );
}

const Facts = ({ list }) => (list.length ? <p class="state">{list.join(' · ')}</p> : null);

function Failure({ node }) {
  const cut = node.text && node.error.kind !== 'context_length_exceeded';
  return (
    <div class="failure" role="group" aria-label="What went wrong">
      <p>{node.error.message}</p>
      <p class="row">
        <button type="button" onClick={() => free() && retry(current(), node)}>
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
