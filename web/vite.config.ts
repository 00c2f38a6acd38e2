/// <reference types="vitest/config" />
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

const gateway = process.env.UA_GATEWAY ?? 'http://127.0.0.1:8002';

export default defineConfig({
  plugins: [react()],
  // Files find each other relatively: a proxy may have the gateway below a path.
  base: './',
  envPrefix: ['VITE_', 'NEXT_PUBLIC_'],
  build: {
    outDir: '../src/universal_agent/web_dist',
    emptyOutDir: true,
    target: 'es2022',
    // A data: URL would need a wider content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    proxy: Object.fromEntries(['/api', '/config'].map((path) => [path, { target: gateway }])),
  },
  test: {
    environment: 'happy-dom',
    include: ['src/**/*.test.{ts,tsx}'],
    setupFiles: ['src/test/setup.ts'],
    testTimeout: 30_000,
    restoreMocks: true,
    unstubGlobals: true,
  },
});
