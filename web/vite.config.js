import { defineConfig } from 'vite';
import { svelte } from '@sveltejs/vite-plugin-svelte';

// The build must give the same bytes for the same source wherever it runs, so
// scoped class names come from the style text and never from a path.
export default defineConfig({
  plugins: [
    svelte({
      compilerOptions: { cssHash: ({ hash, css }) => `s${hash(css)}` },
    }),
  ],
  worker: { format: 'es' },
  build: {
    target: 'es2022',
    assetsInlineLimit: 0, // data: URLs would need a wider content security policy
    modulePreload: { polyfill: false },
    cssCodeSplit: false,
    reportCompressedSize: false,
  },
});
