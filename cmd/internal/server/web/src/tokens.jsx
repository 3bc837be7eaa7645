// Inside an answer: its tokens, how likely they were, and what else might have come.
import { useState } from 'preact/hooks';
import { branch, busy } from './generate.js';
import { chat } from './state.js';

const percent = (p) => {
  const x = Math.exp(p) * 100;
  return x >= 10 ? x.toFixed(0) + ' %' : x >= 0.1 ? x.toFixed(1) + ' %' : '< 0.1 %';
};

// grade is 0 for what was sure, up to 4 for what was a surprise.
const grade = (p) => {
  const i = [0.9, 0.6, 0.3, 0.1].findIndex((x) => Math.exp(p) >= x);
  return i < 0 ? 4 : i;
};

const visible = (text) => (text === '' ? 'no text' : text.replace(/\n/g, '↵').replace(/ /g, '␣').replace(/\t/g, '⇥'));

export function Tokens({ node }) {
  const [at, move] = useState(-1);
  const tokens = node.tokens.map((t, i) => ({ t, i })).filter(({ t }) => t[1] !== '' || t[4]?.length);
  const key = (e, i) => {
    const to = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: tokens.length - 1 }[e.key];
    const box = e.currentTarget.closest('.tokens');
    if (e.key === 'Enter' || e.key === ' ') {
      e.preventDefault();
      move(i);
      setTimeout(() => box.querySelector('.others button:not(:disabled)')?.focus());
    }
    if (to === undefined || !tokens[to]) return;
    e.preventDefault();
    move(to);
    box.querySelectorAll('.token > .word')[to].focus();
  };
  const leave = (e) => {
    if (e.key !== 'Escape' || at < 0 || e.defaultPrevented) return; // from an alternative back to its token
    e.preventDefault();
    const word = e.currentTarget.querySelectorAll('.token > .word')[at];
    word.focus();
    move(-1);
  };
  return (
    <div>
      <p class="quiet">
        A token is what the model writes in one step: a word, or a part of one. The stronger its colour, the less likely
        it was. Point at a token, or press the arrow keys and Enter, to see what else might have come; choose one of
        these, and the answer is written anew from there.
      </p>
      <div
        class="tokens"
        role="group"
        aria-label="Tokens of the answer"
        onMouseLeave={() => move(-1)}
        onKeyDown={leave}
      >
        {node.text.slice(0, node.bare ?? 0)}
        {tokens.map(({ t, i: index }, i) => (
          <span class="token" key={i} onMouseEnter={() => move(i)}>
            <span
              role="button"
              class={'word p' + grade(t[2])}
              tabIndex={i === Math.max(at, 0) ? 0 : -1}
              onFocus={() => move(i)}
              onClick={() => move(i)}
              onKeyDown={(e) => key(e, i)}
              aria-expanded={at === i}
              aria-label={`${visible(t[1])}, ${percent(t[2])}`}
            >
              {t[1].replace(/\n/g, '↵')}
            </span>
            {t[1].includes('\n') && '\n'}
            {at === i && <Others node={node} i={index} token={t} />}
          </span>
        ))}
      </div>
    </div>
  );
}

// inside moves a list to where all of it is seen.
function inside(box) {
  if (!box) return;
  box.style.translate = '0';
  const room = box.closest('.tokens').getBoundingClientRect(),
    at = box.getBoundingClientRect();
  box.style.translate = `${Math.max(room.left - at.left, Math.min(0, room.right - at.right))}px`;
}

function Others({ node, i, token }) {
  const others = token[3] ?? [];
  return (
    <span class="others" role="group" aria-label={`Instead of ${visible(token[1])}`} ref={inside}>
      {others.map((o) => (
        <button
          type="button"
          key={o[0]}
          disabled={o[0] === token[0] || o[1] === ''}
          onClick={() => !busy(chat.value) && branch(chat.value, node, i, o)}
        >
          <code>{visible(o[1])}</code>{' '}
          <span>
            {percent(o[2])}
            {o[0] === token[0] && ' ✓'}
          </span>
        </button>
      ))}
      {!others.some((o) => o[0] === token[0]) && (
        <span class="quiet">
          chosen: {visible(token[1])}, {percent(token[2])}
        </span>
      )}
    </span>
  );
}
