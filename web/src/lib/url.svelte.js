// The address bar is the state of the view: every view can be reproduced from
// it, and Back undoes what one did last.

const SCREENS = ['map', 'flows'];

function read() {
  const name = location.pathname.replace(/^\/+|\/+$/g, '') || 'map';
  return { screen: SCREENS.includes(name) ? name : 'none', params: new URLSearchParams(location.search) };
}

let current = $state.raw(read());

/** The view now: {screen, params}. Params must not be changed in place. */
export const url = {
  get screen() {
    return current.screen;
  },
  get params() {
    return current.params;
  },
  get(name) {
    return current.params.get(name);
  },
};

/** The address of a view. Empty values are left out. */
export function href(screen, params = {}) {
  const pairs = Array.isArray(params) ? params : Object.entries(params);
  const query = new URLSearchParams(pairs.filter(([, v]) => v !== undefined && v !== null && v !== ''));
  const text = query.toString();
  return `/${screen}${text ? `?${text}` : ''}`;
}

/** Goes to an address; replace leaves no step for Back. */
export function go(to, { replace = false } = {}) {
  if (to !== location.pathname + location.search) {
    history[replace ? 'replaceState' : 'pushState'](null, '', to);
  }
  current = read();
}

/** Stays on the screen and changes some parameters; null takes one away. */
export function setParams(changes, options) {
  const params = new URLSearchParams(current.params);
  for (const [key, value] of Object.entries(changes)) {
    if (value === null || value === undefined || value === '') params.delete(key);
    else params.set(key, value);
  }
  go(href(current.screen, [...params]), options);
}

/** Lets links inside the page change the view without loading it again. */
export function follow(event) {
  const link = event.target.closest?.('a[href^="/"]');
  if (!link || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  go(link.getAttribute('href'));
}

window.addEventListener('popstate', () => {
  current = read();
});
