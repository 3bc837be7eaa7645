// What a conversation is answered with: system prompt, form, samplers, adapters. What is
// empty is as the server has it.
import { adapters, changed, chat, closePanel, models, props, wrong } from './state.js';

// The fields in groups, with a word about each. Fields of the server that are not listed come last.
const groups = [
  [
    'How words are chosen',
    {
      temp: 'Temperature: 0 takes the likeliest word, more is more adventurous',
      top_k: 'Only the K likeliest; 0: all',
      top_p: 'Only the likeliest that make up this part',
      min_p: 'Only those with this part of the best one’s probability',
      typical: 'Typical sampling; 1: off',
      top_nsigma: 'Only within N standard deviations of the best; -1: off',
    },
  ],
  [
    'Repetition',
    {
      repeat_penalty: 'Divides what was there already; 1: off',
      repeat_last_n: 'Over so many tokens',
      presence_penalty: 'Taken from what was there, -2 to 2',
      frequency_penalty: 'Taken for each time it was there, -2 to 2',
      dry_multiplier: 'DRY, against repeated passages; 0: off',
      dry_base: 'DRY: how it grows with the length',
      dry_allowed_length: 'DRY: length that costs nothing',
      dry_penalty_last_n: 'DRY: tokens that are looked at',
      dry_sequence_breaker: 'DRY: what ends a passage, as a list in JSON',
    },
  ],
  [
    'Others',
    {
      xtc_probability: 'XTC: how often the best are left out',
      xtc_threshold: 'XTC: from which probability on',
      mirostat: 'Mirostat 1 or 2; 0: off',
      mirostat_ent: 'Mirostat: surprise that is aimed at',
      mirostat_lr: 'Mirostat: how fast it adapts',
      samplers: 'In which order, separated by ;',
      logit_bias: 'Bias of tokens, as {"id": -100 to 100}',
    },
  ],
];

function set(name, value) {
  const c = chat.value;
  if (value === '' || value === undefined) delete c.params[name];
  else c.params[name] = value;
  right(name);
  changed(c);
}

function right(name) {
  const { [name]: _, ...rest } = wrong.value;
  wrong.value = rest;
}

export function Settings() {
  const c = chat.value;
  const change = (name) => (e) => {
    c[name] = e.target.value;
    right(name);
    changed(c);
  };
  const reset = () => {
    c.params = {};
    wrong.value = {};
    changed(c);
  };
  const changes = Object.keys(c.params).length;
  return (
    <aside class="settings" aria-label="Settings of this chat">
      <div class="row">
        <h2 class="grow">Settings of this chat</h2>
        <button type="button" onClick={closePanel}>
          Close
        </button>
      </div>
      <Field name="system" label="System prompt" hint="What the model should know and be, for all of the chat">
        {(p) => (
          <textarea
            rows={3}
            value={c.system}
            onInput={change('system')}
            placeholder="the model’s own, if it has one"
            {...p}
          />
        )}
      </Field>
      {models.value.length > 1 && (
        <Field name="model" label="Model">
          {(p) => (
            <select value={c.model} onChange={change('model')} {...p}>
              <option value="">{models.value[0]} (default)</option>
              {models.value.slice(1).map((m) => (
                <option key={m}>{m}</option>
              ))}
            </select>
          )}
        </Field>
      )}
      <Field name="schema" label="JSON schema" hint="The answer becomes JSON that obeys it">
        {(p) => (
          <Area name="schema" rows={4} placeholder='{"type":"object","properties":{"name":{"type":"string"}}}' {...p} />
        )}
      </Field>
      <Text
        name="max_tokens"
        label="max_tokens"
        hint="Longest answer, in tokens"
        placeholder="as long as there is room"
      />
      <Field name="stop" label="stop" hint="Texts that end the answer, one a line">
        {(p) => <Area name="stop" rows={2} {...p} />}
      </Field>
      <Text name="seed" label="seed" hint="The same seed gives the same answer" placeholder="another each time" />
      <Adapters />
      <label class="check">
        <input
          type="checkbox"
          checked={c.params.logprobs !== false}
          onChange={(e) => set('logprobs', e.target.checked ? undefined : false)}
        />{' '}
        Keep the probabilities of tokens
      </label>
      <Samplers />
      <p class="row sticky">
        <button type="button" disabled={!changes} onClick={reset}>
          Reset to the server’s defaults{changes ? ` (${changes} changed)` : ''}
        </button>
      </p>
    </aside>
  );
}

function Samplers() {
  const known = props.value?.default_generation_settings.params ?? {};
  const listed = new Set(['seed', 'lora', ...groups.flatMap(([, fields]) => Object.keys(fields))]);
  const more = Object.fromEntries(
    Object.keys(known)
      .filter((n) => !listed.has(n))
      .map((n) => [n, '']),
  );
  return [...groups, ['More', more]].map(([title, fields]) => {
    const names = Object.keys(fields).filter((n) => n in known);
    if (!names.length) return null;
    return (
      <fieldset key={title}>
        <legend>{title}</legend>
        {names.map((n) => (
          <Text key={n} name={n} label={n} hint={fields[n]} placeholder={shown(known[n])} />
        ))}
      </fieldset>
    );
  });
}

const shown = (v) => (Array.isArray(v) ? v.join(';') : typeof v === 'number' ? String(+v.toPrecision(7)) : String(v));

// Field is a control with its name, its meaning, and what the server says is wrong with it.
function Field({ name, label, hint, children }) {
  const bad = wrong.value[name],
    id = 'f-' + name;
  return (
    <div class={name in chat.value.params ? 'field changed' : 'field'}>
      <label for={id}>{label}</label>
      {children({ id, 'aria-describedby': `${id}-hint ${id}-bad`, 'aria-invalid': bad ? 'true' : undefined })}
      <p class="quiet" id={id + '-hint'}>
        {hint}
      </p>
      <p class="bad" id={id + '-bad'} role="alert">
        {bad}
      </p>
    </div>
  );
}

function Area({ name, ...rest }) {
  return (
    <textarea
      value={chat.value.params[name] ?? ''}
      spellcheck={false}
      onInput={(e) => set(name, e.target.value)}
      {...rest}
    />
  );
}

function Text({ name, label, hint, placeholder }) {
  return (
    <Field name={name} label={label} hint={hint}>
      {(p) => (
        <input
          value={chat.value.params[name] ?? ''}
          placeholder={placeholder || 'none'}
          autocomplete="off"
          spellcheck={false}
          onInput={(e) => set(name, e.target.value.trim())}
          {...p}
        />
      )}
    </Field>
  );
}

// Adapters have a scale each; those that are left empty have the server's.
function Adapters() {
  const list = adapters.value,
    own = chat.value.params.lora ?? {};
  if (!list.length) return null;
  const change = (id, text) => {
    const next = { ...own, [id]: text.trim() };
    if (!next[id]) delete next[id];
    set('lora', Object.keys(next).length ? next : undefined);
  };
  return (
    <fieldset>
      <legend>Adapters</legend>
      {list.map((a) => (
        <div class="field" key={a.id}>
          <label for={'lora-' + a.id}>{a.name ?? a.path ?? `adapter ${a.id}`}</label>
          <input
            id={'lora-' + a.id}
            inputmode="decimal"
            placeholder={String(a.scale)}
            value={own[a.id] ?? ''}
            onInput={(e) => change(a.id, e.target.value)}
            aria-describedby="f-lora-bad"
          />
        </div>
      ))}
      <p class="quiet">The scale of each; 0: off</p>
      <p class="bad" role="alert" id="f-lora-bad">
        {wrong.value.lora}
      </p>
    </fieldset>
  );
}
