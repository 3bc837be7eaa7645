// What the server does: from /metrics and /slots, asked every second while this is shown.
import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import * as api from './api.js';
import { bases, models } from './state.js';

const most = 60; // samples that charts show
const samples = signal([]);
const slots = signal([]);
const trouble = signal({});

// read returns the numbers of Prometheus' text, those of all models together, without labels but
// model_name; and mpt_cache_bytes by tier.
function read(text) {
  const v = {};
  for (const line of text.split('\n')) {
    const m = /^([a-z_:]+)(?:\{([^}]*)\})? (\S+)$/i.exec(line);
    if (!m || /le="/.test(m[2] ?? '')) continue;
    const tier = /tier="(\w+)"/.exec(m[2] ?? '')?.[1];
    if (m[2] && !tier && !/^model_name="[^"]*"$/.test(m[2])) continue;
    const name = tier ? `${m[1]}/${tier}` : m[1];
    v[name] = (v[name] ?? 0) + Number(m[3]);
  }
  return v;
}

async function look() {
  const said = {};
  const get = async (path, use) => {
    try {
      await use(await api.call(path));
    } catch (e) {
      if (e.code === 'model_not_loaded') return;
      said[path.split('?')[0]] = e.status === 501 ? 'The server was started without it.' : e.message;
    }
  };
  await get('metrics', async (r) => {
    samples.value = [...samples.value, { at: performance.now() / 1000, ...read(await r.text()) }].slice(-most - 1);
  });
  const list = models.value.filter((m) => !bases.value.has(m)),
    all = [];
  if (list.length < 2) await get('slots', async (r) => all.push(...(await r.json())));
  else
    for (const model of list)
      await get('slots?model=' + encodeURIComponent(model), async (r) =>
        all.push(...(await r.json()).map((s) => ({ ...s, model }))),
      );
  slots.value = all;
  trouble.value = said;
}

// rates are the differences of a counter, for a second.
const rates = (list, name) => list.slice(1).map((s, i) => Math.max(0, s[name] - list[i][name]) / (s.at - list[i].at));
const values = (list, name) => list.slice(1).map((s) => s[name]);

const short = (x) =>
  x >= 1e9
    ? (x / 1e9).toFixed(1) + ' G'
    : x >= 1e6
      ? (x / 1e6).toFixed(1) + ' M'
      : x >= 1e4
        ? (x / 1e3).toFixed(0) + ' k'
        : x.toLocaleString(undefined, { maximumFractionDigits: x < 10 ? 1 : 0 });

export function ServerView() {
  useEffect(() => {
    let timer,
      over = false;
    const round = async () => {
      if (!document.hidden && !api.needKey.peek()) await look();
      if (!over) timer = setTimeout(round, 1000);
    };
    round();
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, []);
  const s = samples.value,
    now = s.at(-1),
    queries = now?.['vllm:prefix_cache_queries_total'];
  return (
    <main class="scroll server" aria-label="Server" tabIndex={-1}>
      <h1>Server</h1>
      {trouble.value.metrics && <p class="bad">/metrics: {trouble.value.metrics}</p>}
      {now && (
        <div class="charts">
          <Chart title="Writing" unit="tokens a second" data={rates(s, 'llamacpp:tokens_predicted_total')} />
          <Chart title="Reading" unit="tokens a second" data={rates(s, 'llamacpp:prompt_tokens_total')} />
          <Chart title="Answers in progress" unit="at once" data={values(s, 'llamacpp:requests_processing')} />
          <Chart title="Waiting in the queue" unit="requests" data={values(s, 'llamacpp:requests_deferred')} />
          <Chart
            title="Context memory"
            unit="% in use"
            least={100}
            data={values(s, 'llamacpp:kv_cache_usage_ratio').map((x) => x * 100)}
          />
          <Chart title="Cache of earlier chats" unit="bytes in memory" data={values(s, 'mpt_cache_bytes/ram')} />
        </div>
      )}
      {now && (
        <dl class="numbers">
          <Figure name="Tokens written" value={now['llamacpp:tokens_predicted_total']} />
          <Figure name="Tokens read" value={now['llamacpp:prompt_tokens_total']} />
          <Figure
            name="Read from the cache"
            value={queries ? (now['vllm:prefix_cache_hits_total'] / queries) * 100 : 0}
            unit=" %"
          />
          <Figure name="Cache of earlier chats, on disk" value={now['mpt_cache_bytes/disk']} unit="B" />
          <Figure name="Answers interrupted to make room" value={now['vllm:num_preemptions_total']} />
          <Figure name="Memory of the server" value={now.process_resident_memory_bytes} unit="B" />
        </dl>
      )}
      <h2>Answers in progress</h2>
      {trouble.value.slots ? <p class="bad">/slots: {trouble.value.slots}</p> : <Slots list={slots.value} />}
      {api.hasKey.value && (
        <p>
          <button type="button" onClick={() => api.setKey('')}>
            Forget the API key
          </button>
        </p>
      )}
      <p class="quiet">
        <a href="LICENSES.txt">Licences of the libraries in this page</a>
      </p>
    </main>
  );
}

const Figure = ({ name, value, unit = '' }) =>
  value === undefined ? null : (
    <div>
      <dt>{name}</dt>
      <dd>
        {short(value)}
        {unit}
      </dd>
    </div>
  );

// Chart is a line over the last samples, by hand: 0 is at the bottom.
function Chart({ title, unit, data, least = 1 }) {
  const top = Math.max(least, ...data),
    width = 240,
    height = 60;
  const x = (i) => width - ((data.length - 1 - i) * width) / (most - 1),
    y = (v) => height - 2 - (v / top) * (height - 6);
  const line = data.map((v, i) => `${x(i).toFixed(1)},${y(v).toFixed(1)}`).join(' ');
  const last = data.at(-1) ?? 0;
  return (
    <figure class="chart">
      <figcaption>
        {title} <strong>{short(last)}</strong> <span class="quiet">{unit}</span>
      </figcaption>
      <svg
        viewBox={`0 0 ${width} ${height}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${title}: now ${short(last)}, at most ${short(Math.max(0, ...data))} ${unit} in the last minute`}
      >
        <line x1="0" x2={width} y1={height - 2} y2={height - 2} class="axis" />
        {data.length > 1 && (
          <polygon points={`${x(0).toFixed(1)},${height - 2} ${line} ${width},${height - 2}`} class="area" />
        )}
        <polyline points={line} class="line" />
      </svg>
      <span class="quiet scale">{short(top)}</span>
    </figure>
  );
}

function Slots({ list }) {
  const busy = list.filter((s) => s.is_processing);
  return (
    <div class="wide" tabIndex={0} role="group" aria-label="Answers in progress">
      <table>
        <thead>
          <tr>
            <th>#</th>
            <th>state</th>
            <th>tokens read</th>
            <th>tokens written</th>
            <th>context used</th>
          </tr>
        </thead>
        <tbody>
          {busy.map((s) => (
            <tr key={`${s.model} ${s.id}`}>
              <td>{s.model ? `${s.model} ${s.id}` : s.id}</td>
              <td>{s.state === 'prefill' ? 'reading' : 'writing'}</td>
              <td>
                {s.n_prompt_tokens_processed} of {s.n_prompt_tokens}
              </td>
              <td>{s.n_decoded}</td>
              <td>
                <meter
                  min={0}
                  max={s.n_ctx}
                  value={s.n_prompt_tokens_processed + s.n_decoded}
                  aria-label={`${s.n_prompt_tokens_processed + s.n_decoded} of ${s.n_ctx} tokens`}
                />
              </td>
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <td colSpan={5} class="quiet">
              {list.length - busy.length} of {list.length} places are free.
            </td>
          </tr>
        </tfoot>
      </table>
    </div>
  );
}
