// The server of this page: actions, tables and events.

// act carries out an action and returns its outcome, which every page also gets as an event. It
// never fails: what kept the server from carrying it out is the outcome's error.
export async function act(name, args = {}) {
  try {
    const response = await fetch(`do/${name}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(args),
    });
    return response.ok ? await response.json() : { error: (await response.text()).trim() };
  } catch {
    return { error: 'no response' };
  }
}

async function read(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}

// tables returns the sessions and the signing keys.
export const tables = () => read('tables');

// attacks returns the attacks of a kind.
export const attacks = (mechanism) => read(`attacks/${mechanism}`);

// listen calls a function of handlers for each event. The browser connects again by itself;
// the server then sends the history again, so that opened must empty what is shown. A page
// that was too slow is disconnected, so only a second failure means that the server is down.
export function listen(handlers) {
  let failed = true;
  const source = new EventSource('events');
  for (const name of ['action', 'message', 'state']) {
    source.addEventListener(name, (event) => handlers[name](JSON.parse(event.data)));
  }
  source.addEventListener('open', () => {
    failed = false;
    handlers.opened();
  });
  source.addEventListener('error', () => {
    if (failed) handlers.lost();
    failed = true;
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 1000, handlers); // the browser gave up
  });
}
