// Pages are loaded when they are first opened.
import { type ComponentType, lazy } from 'react';

const KEY = 'ua-reloaded-for';

/** After an upgrade the old page's parts are gone: the page is then loaded anew, once. */
export function lazyPage(name: string, load: () => Promise<{ default: ComponentType }>) {
  return lazy(async () => {
    try {
      const page = await load();
      sessionStorage.removeItem(KEY);
      return page;
    } catch (error) {
      if (sessionStorage.getItem(KEY) === name) throw error;
      sessionStorage.setItem(KEY, name);
      location.reload();
      return new Promise<never>(() => {
        // The reload takes over.
      });
    }
  });
}
