// Where the focus goes, what Escape and Enter do, and a narrow screen.
import assert from 'node:assert/strict';
import { eventually } from './chat.mjs';
import { says } from './stage.mjs';

const focuses = (v, want) => eventually(`the focus is on ${want}`, async () => (await v.focus()) === want);

export const tests = {
  async 'the focus stays near after Delete, Rename and Edit'({ come, proxy }) {
    const v = await come();
    proxy.fault = says('An answer.');
    for (const text of ['One', 'Two', 'Three']) {
      await v.ask(text);
      await v.button('New chat').click();
      await v.page.waitForSelector('.empty');
    }
    await v.page.locator('.chats .open', { hasText: 'Two' }).focus(); // which shows the buttons
    await v.page.getByLabel('Delete “Two”').press('Enter');
    await focuses(v, 'One');
    await v.page.getByLabel('Delete “One”').press('Enter'); // the last of the list
    await focuses(v, 'Three');
    await v.page.getByLabel('Rename “Three”').press('Enter');
    await focuses(v, 'New name');
    await v.page.keyboard.press('Escape');
    await focuses(v, 'Rename “Three”');
    await v.page.keyboard.press('Enter');
    await focuses(v, 'New name');
    await v.page.getByLabel('New name').fill('3');
    await v.page.keyboard.press('Enter');
    await focuses(v, 'Rename “3”');
    await v.page.locator('.chats .open').click();
    await v.page.waitForSelector('.said');
    for (const message of [v.page.locator('.message.user'), v.answers()]) {
      await v.button('Edit', message).press('Enter');
      await focuses(v, 'Edit the message');
      await v.page.keyboard.press('Escape');
      await focuses(v, 'Edit');
    }
    await v.page.getByLabel('Delete “3”').press('Enter');
    await focuses(v, 'New chat');
  },

  async 'Escape in the search clears it and stops nothing'({ come, proxy }) {
    const v = await come();
    proxy.pause = 60;
    await v.start('Tell me a story about a dog.');
    await v.page.keyboard.press('Control+k');
    await v.page.keyboard.type('zzz');
    await v.page.waitForSelector('text=No chat has this text.');
    await v.page.keyboard.press('Escape');
    await v.page.waitForSelector('.chats .open');
    assert.equal(await v.page.getByLabel('Search in chats').inputValue(), '');
    await v.page.keyboard.press('Escape');
    await focuses(v, 'Your message');
    await v.writing(6); // it goes on
    await v.page.keyboard.press('Escape');
    await v.done();
    assert.match(await v.answers().last().innerText(), /you stopped it/);
  },

  async 'Enter on a token shows what else might have come'({ come }) {
    const v = await come();
    await v.ask('Tell me a story about a dog.');
    await v.last('Tokens').press('Enter');
    await v.page.locator('.token > .word').nth(2).focus();
    for (const key of ['Enter', ' ']) {
      await v.page.keyboard.press('Escape');
      await v.page.waitForSelector('.others', { state: 'detached' });
      await v.page.keyboard.press(key);
      await v.page.waitForFunction(() => document.activeElement.closest('.others'));
      await v.page.keyboard.press('Escape');
      await v.page.waitForFunction(() => document.activeElement.matches('.word'));
    }
    await v.page.keyboard.press('Enter');
    await v.page.waitForFunction(() => document.activeElement.closest('.others'));
    await v.page.keyboard.press('Enter');
    await v.page.waitForSelector('text=2 of 2');
    await v.done();
  },

  async 'a double click on Send sends once and stops nothing'({ come, proxy }) {
    const v = await come();
    proxy.pause = 200;
    await v.draft.fill('Tell me a story.');
    await v.button('Send').dblclick();
    await v.writing(4);
    assert.equal(proxy.seen.filter((r) => r.path === '/v1/chat/completions').length, 1);
    await v.page.waitForTimeout(500);
    await v.button('Stop').click();
    await v.done();
    assert.match(await v.answers().last().innerText(), /you stopped it/);
    await focuses(v, 'Your message');
  },

  async 'on 360 pixels all alternatives of a token are seen'({ come }) {
    const v = await come({ viewport: { width: 360, height: 740 } });
    await v.ask('Tell me a story about a dog.');
    await v.last('Tokens').click();
    const words = v.page.locator('.token > .word'),
      n = Math.min(40, await words.count());
    for (let i = 0; i < n; i++) {
      await words.nth(i).focus();
      const box = await v.page.locator('.others').boundingBox();
      assert.ok(box.x >= 0 && box.x + box.width <= 360, `${i}: from ${box.x} to ${box.x + box.width}`);
    }
  },
};
