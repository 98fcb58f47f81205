// Talks to the server. Addresses are relative: the token is the first part of the page's own path.

export const page = crypto.randomUUID?.() ?? String(Math.random()).slice(2);
const base = new URL(".", location.href);

export class Refused extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

// Why something was not done, for a person.
export const why = (error) => (error instanceof Refused ? error.message : "The server does not answer.");

async function answered(response) {
  let said = {};
  try {
    said = await response.json();
  } catch {
    if (response.ok) throw new Refused("The server's answer cannot be read.", response.status);
  }
  if (!response.ok) throw new Refused(said.error ?? `The server answers ${response.status}.`, response.status);
  return said;
}

export const get = async (name, query = {}) =>
  answered(await fetch(address(`api/${name}`, query), { cache: "no-store" }));

export const post = async (name, body = {}) =>
  answered(
    await fetch(new URL(`api/${name}`, base), {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ page, ...body }),
    }),
  );

export function address(name, query) {
  const found = new URL(name, base);
  for (const [key, value] of Object.entries(query)) found.searchParams.set(key, value);
  return found.href;
}

// The page is closed: another one may write at once.
export function leave() {
  const body = new Blob([JSON.stringify({ page })], { type: "application/json" });
  navigator.sendBeacon(new URL("api/leave", base), body);
}
