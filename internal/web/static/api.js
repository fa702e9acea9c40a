// Talks to /v1 and turns everything that can go wrong into one sentence.

export const topK = 5;

export function address(model) {
  const query = new URLSearchParams();
  if (model) query.set("model", model);
  query.set("top_k", topK);
  return `${location.origin}/v1/predictions?${query}`;
}

// classify gives {answer} or {refusal: {sentence, page, again, key}}.
export async function classify(file, { model, key }, signal) {
  try {
    await file.slice(0, 1).arrayBuffer();
  } catch {
    return { refusal: { sentence: `“${file.name}” could not be read; a folder cannot be sent, only pictures.` } };
  }
  const body = new FormData();
  body.append("image", file, file.name);
  let response;
  try {
    response = await fetch(address(model), { method: "POST", body, signal, headers: headers(key) });
  } catch (cause) {
    if (signal.aborted) throw cause;
    return { refusal: { sentence: "The server could not be reached; it may have stopped.", again: true } };
  }
  const document = await response.json().catch(() => null);
  if (!response.ok) return { refusal: refusal(document, response) };
  const result = document?.results?.[0];
  if (!result) return { refusal: { sentence: "The server’s answer could not be understood.", again: true } };
  if (result.error) return { refusal: refusal(result.error, response) };
  return { answer: { ...document, result } };
}

export async function models(key) {
  try {
    const response = await fetch("/v1/models", { headers: headers(key) });
    if (response.status === 401) return { references: [], keyNeeded: true };
    const list = response.ok ? await response.json() : null;
    return { references: references(list?.items ?? []), keyNeeded: false };
  } catch {
    return { references: [], keyNeeded: false }; // the server's own list stays
  }
}

// The list has one item a version; the chooser has names, and the aliases beside "default".
// A Tensor takes no pictures.
function references(all) {
  const items = all.filter((item) => item.kind !== "Tensor");
  const aliased = items.flatMap(({ name, aliases = [] }) => aliases.filter((a) => a !== "default").map((a) => `${name}@${a}`));
  return [...new Set([...items.map((item) => item.name), ...aliased])];
}

function headers(key) {
  return key ? { Accept: "application/json", Authorization: `Bearer ${key}` } : { Accept: "application/json" };
}

function refusal(problem, response) {
  const status = problem?.status ?? response.status;
  const type = typeof problem?.type === "string" ? problem.type : "";
  return {
    sentence: sentence(problem?.detail || problem?.title || `The server answered ${response.status}.`),
    page: /^\/errors\/[a-z-]+$/.test(type) ? type : "",
    again: status === 429 || status >= 500,
    key: status === 401,
  };
}

export function sentence(text) {
  const told = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(told) ? told : `${told}.`;
}
