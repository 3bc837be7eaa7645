// What a conversation is answered with: system prompt, form, samplers, adapters. What is
// empty is as the server has it.
import { adapterName, adapters, bases, changed, chat, closePanel, isServed, models, props, told, wrong } from './state.js';
import { stamped } from './tree.js';

// The fields in groups, with a word about each. Fields of the server that are not listed come last.
const groups = [
  [
    'How words are chosen',
    {
      temp: 'Temperature: 0 always takes the likeliest word; higher is more varied',
      top_k: 'Choose among the K likeliest words only; 0: among all',
      top_p: 'Choose among the likeliest words that together have this probability; 1: among all',
      min_p: 'Leave out words less likely than this part of the likeliest one; 0: off',
      typical: 'Locally typical sampling: leave out words of unusual probability; 1: off',
      top_nsigma: 'Leave out words more than N standard deviations below the best; -1: off',
    },
  ],
  [
    'Against repetition',
    {
      repeat_penalty: 'Makes words less likely that were there already; 1: off',
      repeat_last_n: 'How many of the last tokens count as “there already”; 0: none, -1: all',
      presence_penalty: 'Makes words less likely that were there at all, -2 to 2; 0: off',
      frequency_penalty: 'The same, for each time that they were there, -2 to 2; 0: off',
      dry_multiplier: 'DRY, against repeated passages: its strength; 0: off',
      dry_base: 'DRY: how fast it grows with the length of a passage',
      dry_allowed_length: 'DRY: the longest repetition that is allowed',
      dry_penalty_last_n: 'DRY: how many tokens it looks back; -1: all, 0: off',
      dry_sequence_breaker: 'DRY: texts that end a passage, as a list in JSON',
    },
  ],
  [
    'For experts',
    {
      xtc_probability: 'XTC: how often the likeliest words are left out, 0 to 1; 0: off',
      xtc_threshold: 'XTC: from which probability on a word may be left out',
      mirostat: 'Mirostat, which aims at a constant surprise: version 1 or 2; 0: off',
      mirostat_ent: 'Mirostat: the surprise to aim at',
      mirostat_lr: 'Mirostat: how fast it adapts',
      samplers: 'The order of the steps above, separated by ;',
      logit_bias: 'Makes single tokens more or less likely: {"token id": -100 to 100}',
    },
  ],
];

function set(name, value) {
  const c = chat.value;
  if (value === '' || value === undefined) delete c.params[name];
  else c.params[name] = value;
  stamped(c, 'params.' + name);
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
    stamped(c, name);
    right(name);
    changed(c);
  };
  const reset = () => {
    for (const name of Object.keys(c.params)) stamped(c, 'params.' + name);
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
      <Field name="system" label="System prompt" hint="What the model should know or how it should behave in this chat">
        {(p) => (
          <textarea
            rows={3}
            value={c.system}
            onInput={change('system')}
            placeholder="the one of the model, if it has one"
            {...p}
          />
        )}
      </Field>
      <Models value={c.model} change={change('model')} />
      <Field name="schema" label="JSON schema" hint="The answer will be JSON of this form">
        {(p) => (
          <Area name="schema" rows={4} placeholder='{"type":"object","properties":{"name":{"type":"string"}}}' {...p} />
        )}
      </Field>
      <Text
        name="max_tokens"
        label="max_tokens"
        hint="The longest answer, in tokens (a token is a word or a part of one)"
        placeholder="as long as there is room"
      />
      <Field name="stop" label="stop" hint="Texts at which the answer ends, one on each line">
        {(p) => <Area name="stop" rows={2} {...p} />}
      </Field>
      <Text
        name="seed"
        label="seed"
        hint="The same question with the same seed gets the same answer"
        placeholder="a new one each time"
      />
      <Adapters />
      <label class="check">
        <input
          type="checkbox"
          checked={c.params.logprobs !== false}
          onChange={(e) => set('logprobs', e.target.checked ? undefined : false)}
        />{' '}
        Store how likely each token was
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

// Models is a choice if the server has several, or not the one that a chat is set to.
function Models({ value, change }) {
  if (models.value.length < 2 && isServed(value)) return null;
  const [first, ...others] = models.value;
  return (
    <Field name="model" label="Model" hint="Which of the server’s models answers in this chat">
      {(p) => (
        <select value={value === first ? '' : value} onChange={change} {...p}>
          <option value="">{first} (default)</option>
          {others.map((m) => (
            <option key={m} value={m}>
              {bases.value.has(m) ? `${m} (adapter of ${bases.value.get(m)})` : m}
            </option>
          ))}
          {!isServed(value) && (
            <option key="gone" value={value} disabled>
              {value} (not on this server)
            </option>
          )}
        </select>
      )}
    </Field>
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
  return [...groups, ['Others', more]].map(([title, fields]) => {
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

// Adapters are switched on and off, and have a scale each. The server's own is what nobody has changed.
function Adapters() {
  const list = adapters.value ?? [],
    { model, params } = chat.value,
    own = params.lora ?? {},
    base = bases.value.get(model),
    unknown = !told.value.get(model)?.adapters;
  if (base || unknown) {
    const some = base || params.lora || bases.value.size > 0;
    return some && isServed(model) ? <NoAdapters model={model} base={base} /> : null;
  }
  const gone = Object.keys(own).filter((name) => !list.some((a) => adapterName(a) === name));
  if (!list.length && !gone.length) return null;
  const change = (name, text) => {
    const { [name]: _, ...rest } = own;
    if (text !== '') rest[name] = text;
    set('lora', Object.keys(rest).length ? rest : undefined);
  };
  return (
    <fieldset>
      <legend>LoRA adapters</legend>
      {list.map((a) => (
        <Adapter
          key={a.id}
          adapter={a}
          own={own[adapterName(a)]}
          change={(text) => change(adapterName(a), text)}
        />
      ))}
      {list.length > 0 && (
        <p class="quiet" id="f-lora-hint">
          How strongly each changes the model; 0: not at all
        </p>
      )}
      {gone.length > 0 && <p class="quiet">Not of this model, and left out: {gone.map(baseName).join(', ')}</p>}
      <p class="bad" role="alert" id="f-lora-bad">
        {wrong.value.lora}
      </p>
    </fieldset>
  );
}

// NoAdapters says why there is nothing to choose.
const NoAdapters = ({ model, base }) => (
  <fieldset>
    <legend>LoRA adapters</legend>
    <p class="quiet">
      {base
        ? `The model “${model}” is this adapter of ${base}, alone and as the server scales it. Choose ${base} to set scales.`
        : 'The adapters of this model can be seen once it is loaded, which its next answer does.'}
    </p>
  </fieldset>
);

const baseName = (path) => path.split(/[\\/]/).at(-1);

function Adapter({ adapter, own, change }) {
  const { id, scale } = adapter,
    on = own === undefined ? scale !== 0 : Number(own) !== 0;
  const flip = () => {
    if (on) change(scale === 0 ? '' : '0');
    else change(scale === 0 ? '1' : '');
  };
  const name = baseName(adapterName(adapter));
  return (
    <div class={own === undefined ? 'field adapter' : 'field adapter changed'}>
      <label class="check">
        <input type="checkbox" checked={on} onChange={flip} /> {name}
      </label>
      <input
        id={'lora-' + id}
        aria-label={`Scale of ${name}`}
        inputmode="decimal"
        placeholder={String(scale)}
        value={own ?? ''}
        onInput={(e) => change(e.target.value.trim())}
        aria-describedby="f-lora-hint f-lora-bad"
      />
    </div>
  );
}
