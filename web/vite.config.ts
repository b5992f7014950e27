// How the page is built, served while it is worked on, and tested.
import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vitest/config'

const server = process.env.ROSTRA_URL ?? 'http://127.0.0.1:8080'

export default defineConfig({
  plugins: [svelte()],
  build: {
    target: ['chrome111', 'firefox115', 'safari16.4'],
    // The server's content policy allows no inline script.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 2048,
  },
  server: {
    // The server checks Origin against its own address, so the proxy speaks as a page of it.
    proxy: { '/api': { target: server, changeOrigin: true, headers: { origin: server } } },
  },
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    environment: 'node',
  },
  // Runes in tests are the browser's, not those of server rendering.
  resolve: process.env.VITEST ? { conditions: ['browser'] } : {},
})
