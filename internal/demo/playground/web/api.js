// The server of this page: actions, tables and events.

// act carries out an action and returns its outcome, which every page also gets as an event.
export async function act(name, args = {}) {
  const response = await fetch(`do/${name}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(args),
  });
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}

// tables returns the sessions and the signing keys.
export async function tables() {
  const response = await fetch('tables');
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}

// attacks returns the attacks of a kind.
export async function attacks(mechanism) {
  const response = await fetch(`attacks/${mechanism}`);
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}

// listen calls a function of handlers for each event. The browser connects again by itself;
// the server then sends the history again, so that opened must empty what is shown.
export function listen(handlers) {
  const source = new EventSource('events');
  for (const name of ['action', 'message', 'state']) {
    source.addEventListener(name, (event) => handlers[name](JSON.parse(event.data)));
  }
  source.addEventListener('open', () => handlers.opened());
  source.addEventListener('error', () => handlers.lost());
}
