// The conversation that is shown, and the field where it goes on.
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { Composer } from './composer.jsx';
import { Message } from './message.jsx';
import { changed, chat, isServed, live, models } from './state.js';
import { families, path, stamped, titleOf } from './tree.js';

export function Chat() {
  const c = chat.value,
    byParent = families(c),
    nodes = path(c, byParent),
    box = useRef(),
    near = useRef(true);
  useEffect(() => {
    near.current = true;
  }, [c.id]);
  useLayoutEffect(() => {
    if (near.current) box.current.scrollTop = box.current.scrollHeight;
  });
  const onScroll = () => {
    const b = box.current;
    near.current = b.scrollHeight - b.scrollTop - b.clientHeight < 80;
  };
  return (
    <>
      <main class="scroll" ref={box} onScroll={onScroll} aria-label="Conversation" tabIndex={-1}>
        {nodes.length === 0 ? <Empty /> : <h1 class="hidden">{titleOf(c)}</h1>}
        {nodes.map((n, i) => {
          const sisters = byParent.get(n.parent);
          return (
            <Message
              key={n.id}
              chat={c}
              node={n}
              rev={n.rev}
              live={live.value.get(n.id)}
              last={i === nodes.length - 1}
              place={sisters.findIndex((x) => x.id === n.id)}
              sisters={sisters}
              title={c.id}
            />
          );
        })}
      </main>
      <Missing chat={c} />
      <Composer key={c.id} id={c.id} />
    </>
  );
}

// Missing says that the server does not have the model of a chat, and offers what it has.
function Missing({ chat: c }) {
  if (isServed(c.model)) return null;
  const take = () => {
    c.model = '';
    stamped(c, 'model');
    changed(c);
  };
  return (
    <p class="missing" role="status">
      <span>
        This chat was set to the model “{c.model}”, which this server does not have: it has {models.value.join(', ')}.
      </span>
      <button type="button" onClick={take}>
        Use {models.value[0]}
      </button>
    </p>
  );
}

function Empty() {
  return (
    <div class="empty">
      <h1>{chat.value.model || (models.value[0] ?? 'mptgo')}</h1>
      <p>Write a message below. Chats are stored in this browser and nowhere else.</p>
      <p>
        Every answer shows the number it was drawn with, its seed. <em>Repeat exactly</em> writes it again with this
        seed and checks that it is the same.
      </p>
    </div>
  );
}
