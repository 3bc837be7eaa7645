// Conversations are kept: names, search, export, import.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { eventually } from './chat.mjs';

const titles = (v) => v.page.locator('.chats .open').allInnerTexts();
const sorted = (chats) => chats.toSorted((a, b) => (a.id < b.id ? -1 : 1));

async function exported(v, name) {
  const [download] = await Promise.all([v.page.waitForEvent('download'), v.button(name).click()]);
  return readFileSync(await download.path());
}

const give = (v, name, buffer) =>
  v.page.setInputFiles('.list input[type=file]', { name, mimeType: 'application/json', buffer: Buffer.from(buffer) });

const settled = (v, n) =>
  eventually('it is written', async () => {
    const all = (await v.stored()).flatMap((c) => Object.values(c.nodes));
    return all.filter((x) => x.finish || x.error).length === n;
  });

const answer = (c) => Object.values(c.nodes).find((n) => n.role === 'assistant');

// chain makes a conversation of so many messages, one behind the other.
function chain(c, n) {
  c.nodes = {};
  for (let i = 0; i < n; i++)
    c.nodes['n' + i] = { id: 'n' + i, parent: i ? 'n' + (i - 1) : '', role: 'user', text: 'x', rev: 1, at: i };
}

export const tests = {
  async 'export and import come round, all and one'({ come }) {
    const v = await come();
    await v.ask('Tell me a story about a dog.');
    await v.last('Another answer').click();
    await v.page.waitForSelector('text=2 of 2');
    await v.done();
    await v.page.keyboard.press('Control+Shift+O');
    await v.ask('And a cat?');
    await settled(v, 3);
    const before = sorted(await v.stored()),
      file = await exported(v, 'Export all'),
      one = await exported(v, 'Export “And a cat?”');
    assert.equal(JSON.parse(one).chats.length, 1);
    const other = await come(); // another browser
    await give(other, 'chats.json', file);
    await other.page.waitForSelector('text=2 chats are imported.');
    assert.deepEqual(sorted(await other.stored()), before);
    await other.page.getByLabel('Close this notice').click();
    await give(other, 'chats.json', file); // once more changes nothing
    await other.page.waitForSelector('text=2 chats are imported.');
    const old = JSON.parse(one); // nor does an earlier state
    Object.assign(old.chats[0], { title: 'Old', updated: 1 });
    await give(other, 'one.json', JSON.stringify(old));
    await other.page.waitForSelector('text=One chat is imported.');
    assert.deepEqual(sorted(await other.stored()), before);
    await other.page.locator('.chats .open', { hasText: 'dog' }).click();
    await other.page.waitForSelector('text=2 of 2');
    await other.ask('Go on.');
  },

  async 'broken files are refused in words, and change nothing'({ come }) {
    const v = await come();
    await v.ask('Tell me a story.');
    await settled(v, 1);
    const good = (await exported(v, 'Export all')).toString(),
      before = await v.stored();
    const edit = (f) => {
      const x = JSON.parse(good);
      f(x.chats[0], x);
      return JSON.stringify(x);
    };
    for (const [text, words] of [
      [good.slice(0, good.length / 2), /no JSON/],
      ['', /no JSON/],
      ['[]', /not a file that was exported here/],
      [edit((_, x) => (x.version = 9)), /version 9/],
      [edit((c) => delete c.nodes), /chat 1 is damaged: it has no id or no messages/],
      [edit((c) => (Object.values(c.nodes)[0].parent = 'nobody')), /is missing/],
      [edit((c) => (Object.values(c.nodes)[0].role = 'system')), /is of nobody/],
      [edit((c) => (Object.values(c.nodes)[1].tokens = [['x']])), /the tokens/],
      [edit((c) => Object.values(c.nodes).forEach((n, i, all) => (n.parent = all[(i + 1) % all.length].id))), /circle/],
      ...[
        [(c) => (c.id = 'a/b'), /its id has other characters/],
        [(c, x) => x.chats.push(c), /chat 2 is damaged: an earlier one has its id/],
        [(c) => (c.params = []), /“params”/],
        [(c) => (c.stamps = { nodes: 1 }), /“stamps”/],
        [(c) => (c.stamps = { title: 'now' }), /“stamps”/],
        [(c) => (c.params = { stop: 5 }), /“params”/],
        [(c) => (c.pick = { '': {} }), /“pick”/],
        [(c) => (answer(c).timings = {}), /the timings/],
        [(c) => (answer(c).recipe = 'x'), /the recipe/],
        [(c) => (answer(c).recipe.params = null), /the recipe/],
        [(c) => (answer(c).error = 'x'), /the error/],
        [(c) => (answer(c).seed = {}), /the seed/],
        [(c) => (answer(c).tokens[0][4] = 5), /the tokens/],
        [(c) => (answer(c).tokens[0][4] = Array(3e5).fill(65)), /the tokens/],
        [(c) => (answer(c).tokens[0][3] = [[1, 'x', 'y']]), /the tokens/],
        [(c) => chain(c, 2001), /more than 2000 messages follow each other/],
      ].map(([f, words]) => [edit(f), words]),
      [edit((c) => (c.updated = 12345)).replace('12345', '1e999'), /“updated”/],
    ]) {
      await give(v, 'broken.json', text);
      await v.page.waitForFunction(
        (w) => new RegExp(w).test(document.querySelector('.notices').innerText),
        words.source,
      );
      assert.match(await v.page.locator('.notices').innerText(), /Nothing was changed/);
      await v.page.getByLabel('Close this notice').last().click();
    }
    assert.deepEqual(await v.stored(), before);
  },

  async 'an answer without its request cannot be made again'({ come }) {
    const v = await come();
    await v.ask('Tell me a story.');
    await settled(v, 1);
    const file = JSON.parse(await exported(v, 'Export all'));
    delete answer(file.chats[0]).recipe;
    const other = await come();
    await give(other, 'chats.json', JSON.stringify(file));
    await other.page.locator('.chats .open').click();
    await other.last('Another answer').waitFor();
    assert.equal(await other.last('Repeat exactly').count(), 0);
  },

  async 'renames, deletes, takes it back, searches in texts'({ come }) {
    const v = await come();
    await v.ask('Tell me about a zebra.');
    await v.page.keyboard.press('Control+Shift+O');
    await v.ask('Tell me about a lion.');
    await v.page.getByLabel('Rename “Tell me about a lion.”').click();
    await v.page.getByLabel('New name').fill('King');
    await v.page.keyboard.press('Enter');
    await v.page.waitForSelector('.chats .open:text-is("King")');
    await v.page.getByLabel('Search in chats').fill('lion');
    await v.page.waitForFunction(() => document.querySelectorAll('.chats li').length === 1);
    assert.deepEqual(await titles(v), ['King']);
    await v.page.getByLabel('Search in chats').fill('');
    await v.page.getByLabel('Delete “King”').click();
    await v.page.waitForFunction(() => document.querySelectorAll('.chats li').length === 1);
    await eventually('it is gone', async () => (await v.stored()).length === 1);
    await v.button('Undo').click();
    await v.page.waitForSelector('.chats .open:text-is("King")');
    await v.page.waitForSelector('.said:text-is("Tell me about a lion.")');
    await v.page.reload();
    await v.page.waitForSelector('.chats .open:text-is("King")');
  },

  async 'what is being written is stopped and kept before its chat is deleted or imported'({ come, proxy }) {
    const v = await come();
    const write = async () => {
      proxy.pause = 100;
      await v.start('Tell me about a fox.');
    };
    for (const where of ['shown', 'behind']) {
      await write();
      const early = await v.said();
      if (where === 'behind') {
        await v.page.keyboard.press('Control+Shift+O');
        await v.page.waitForSelector('.empty');
      }
      await v.page.getByLabel('Delete “Tell me about a fox.”').click();
      await v.button('Undo').waitFor();
      await eventually('it is gone', async () => (await v.stored()).length === 0);
      await v.page.waitForTimeout(300); // nothing writes it again
      assert.equal((await v.stored()).length, 0);
      await v.button('Undo').click();
      await v.page.waitForSelector('.message.model');
      assert.ok((await v.said()).startsWith(early), where);
      assert.match(await v.answers().last().innerText(), /stopped/, where);
      await settled(v, 1);
      if (where === 'behind') break;
      await v.page.getByLabel('Delete “Tell me about a fox.”').click();
      await eventually('it is gone', async () => (await v.stored()).length === 0);
    }
    proxy.pause = 0;
    const file = await exported(v, 'Export all');
    await write();
    const early = await v.said();
    await give(v, 'chats.json', file);
    await v.page.waitForSelector('text=One chat is imported.');
    assert.ok((await v.said()).startsWith(early));
    assert.match(await v.answers().last().innerText(), /stopped/);
    await settled(v, 2);
  },

  async 'two tabs add to the same chat'({ come }) {
    const v = await come();
    await v.ask('Tell me a story.');
    await settled(v, 1);
    const second = await v.context.newPage();
    await second.goto(v.page.url());
    await second.waitForSelector('.message.model');
    await v.ask('From the first.');
    await second.waitForSelector('.said:text-is("From the first.")');
    await second.locator('#draft').fill('From the second.');
    await second.keyboard.press('Enter');
    await v.page.waitForSelector('.said:text-is("From the second.")');
    await settled(v, 3);
    assert.equal(await v.page.locator('.said').count(), 3);
    await second.getByRole('button', { name: 'Another answer' }).first().click();
    await v.page.waitForSelector('text=1 of 2');
  },

  async 'two tabs that know nothing of each other lose nothing'({ come }) {
    const v = await come({ init: () => delete globalThis.BroadcastChannel });
    await v.ask('Tell me a story.');
    await settled(v, 1);
    const second = await v.context.newPage();
    await second.goto(v.page.url());
    await second.waitForSelector('.message.model');
    await v.ask('From the first.');
    await settled(v, 2);
    await second.locator('#draft').fill('From the second.');
    await second.keyboard.press('Enter');
    await settled(v, 3);
    const texts = Object.values((await v.stored())[0].nodes).map((n) => n.text);
    for (const want of ['From the first.', 'From the second.']) assert.ok(texts.includes(want), want);
  },

  async 'an answer that was being written is kept when the tab is closed'({ come, proxy }) {
    const v = await come();
    proxy.pause = 150;
    await v.draft.fill('Tell me a story.');
    await v.draft.press('Enter');
    await eventually('a part is written', async () =>
      Object.values((await v.stored())[0]?.nodes ?? {}).some((n) => n.role === 'assistant' && n.text),
    );
    await v.page.reload();
    await v.page.waitForSelector('.message.model .markdown');
    assert.ok((await v.said()).length > 0);
    proxy.pause = 0;
    await v.retry('Continue');
  },
};
