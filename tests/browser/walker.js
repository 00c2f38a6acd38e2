// Presses every control of the page it runs in, also those of what opens over it.
// Takes { path, seen, most }; answers { pressed, broken, seen }.
async ({ path, seen, most }) => {
  const CONTROLS =
    'button, a[href], summary, select, [role="tab"], [role="switch"], [role="menuitem"],' +
    ' [role="option"], [role="combobox"], input[type="checkbox"], input[type="radio"]';
  const LAYERS = '[role="dialog"], [role="listbox"], [role="menu"]';
  const ENDS_SOMETHING = /delete|remove|cancel|rebuild|revoke|end |close|\w all/i;
  // Pressed by test_drain.py.
  const STOPS_THE_GATEWAY = /^drain/i;
  const tried = new Set(seen);
  const groups = new Map();
  const pressed = [];
  const broken = [];
  let opener = null;

  const frame = () => new Promise((drawn) => requestAnimationFrame(() => drawn()));
  const settled = async () => {
    for (let frames = 0; frames < 300; frames++) {
      await frame();
      await frame();
      if (globalThis.inFlight === 0 && !document.querySelector('[aria-label="Loading"]')) return;
    }
  };
  const isVisible = (element) => element.checkVisibility({ visibilityProperty: true });
  const nameOf = (element) =>
    (element.getAttribute('aria-label') || element.labels?.[0]?.innerText || element.innerText ||
      element.value || element.title || '').trim();
  const isIn = (element) => {
    if (element.disabled || element.getAttribute('aria-disabled') === 'true') return false;
    if (element.closest('[inert]') || STOPS_THE_GATEWAY.test(nameOf(element))) return false;
    if (element.tagName === 'A') {
      const href = element.getAttribute('href');
      const isElsewhere = element.target === '_blank' || element.hasAttribute('download');
      if (isElsewhere || href.startsWith('/api/') || /^[a-z]+:/.test(href)) return false;
    }
    return isVisible(element) || (element.labels?.length && isVisible(element.labels[0]));
  };
  const top = () => [...document.querySelectorAll(LAYERS)].filter(isVisible).at(-1) ?? document.body;
  const short = (text) =>
    text.split('\n')[0].replace(/[0-9a-f]{12,}/g, '#').replace(/\d+/g, '#').slice(0, 50);
  const labelOf = (layer) => {
    const named = layer.getAttribute('aria-labelledby');
    return layer.getAttribute('aria-label') ?? document.getElementById(named)?.innerText ?? '';
  };
  const scopeOf = (element, layer) => {
    if (layer !== document.body) return `${layer.role} ${short(labelOf(layer))}`;
    return element.closest('main') ? path : 'the shell';
  };
  const keyOf = (element, layer) =>
    `${scopeOf(element, layer)}: ${element.tagName} ${short(nameOf(element))}`;
  const groupOf = (element, layer) => `${scopeOf(element, layer)}: ${element.className}`;
  const untried = (layer) =>
    [...layer.querySelectorAll(CONTROLS)]
      .filter((each) => isIn(each) && !tried.has(keyOf(each, layer)))
      .filter((each) => (groups.get(groupOf(each, layer)) ?? 0) < most)
      .sort((a, b) => ENDS_SOMETHING.test(nameOf(a)) - ENDS_SOMETHING.test(nameOf(b)));
  const press = (element) => {
    element.scrollIntoView({ block: 'nearest' });
    if (element.tagName === 'SELECT') {
      element.selectedIndex = element.options.length - 1;
      element.dispatchEvent(new Event('change', { bubbles: true }));
      return;
    }
    const how = { bubbles: true, cancelable: true, composed: true };
    element.dispatchEvent(new PointerEvent('pointerdown', how));
    element.dispatchEvent(new MouseEvent('mousedown', how));
    element.focus();
    element.dispatchEvent(new PointerEvent('pointerup', how));
    element.dispatchEvent(new MouseEvent('mouseup', how));
    element.click();
  };
  const go = async () => {
    history.pushState(null, '', path);
    globalThis.dispatchEvent(new PopStateEvent('popstate', { state: null }));
    await settled();
  };
  const isGone = async (layer) => {
    // It may fade.
    for (let frames = 0; frames < 60 && layer.isConnected && isVisible(layer); frames++) await frame();
    await settled();
    return !layer.isConnected || !isVisible(layer);
  };
  const dismiss = async (layer) => {
    const how = { key: 'Escape', code: 'Escape', bubbles: true, cancelable: true };
    for (const target of [document.activeElement ?? document.body, layer]) {
      target.dispatchEvent(new KeyboardEvent('keydown', how));
      if (await isGone(layer)) return;
    }
    press(document.querySelector('h1'));
    await isGone(layer);
  };
  const isBroken = () => {
    const main = document.querySelector('main');
    return main ? main.innerText.includes('This page had a problem') : !document.querySelector('h1');
  };

  await settled();
  for (let steps = 0; steps < 400; steps++) {
    const layer = top();
    const [next, ...others] = untried(layer);
    if (!next) {
      if (layer === document.body) break;
      await dismiss(layer);
      if (top() === layer) await go();
      if (top() === layer) {
        broken.push(`${path}: nothing closes ${scopeOf(layer, layer)}`);
        break;
      }
      continue;
    }
    const key = keyOf(next, layer);
    const group = groupOf(next, layer);
    tried.add(key);
    groups.set(group, (groups.get(group) ?? 0) + 1);
    pressed.push(key);
    press(next);
    await settled();
    if (isBroken()) {
      broken.push(key);
      break;
    }
    const after = top();
    if (after !== layer && after !== document.body) {
      if (layer === document.body) opener = { key, group };
    } else if (after === document.body && layer !== document.body && others.length > 0) {
      // It closed what had more to press: what opened it is pressed once more.
      tried.delete(opener?.key);
      groups.set(opener?.group, (groups.get(opener?.group) ?? 1) - 1);
    }
    const here = location.pathname + location.search;
    if (after === document.body && here !== path) await go();
  }
  return { pressed, broken, seen: [...tried].filter((key) => !key.startsWith(path)) };
}
