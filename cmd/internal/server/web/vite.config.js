import { defineConfig } from 'vite';

// Everything lies in files of hashed names beside the page: the policy of its headers allows
// nothing inline, and relative names work under any path.
export default defineConfig({
  base: './',
  publicDir: false,
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: false,
    chunkSizeWarningLimit: 1000,
  },
});
