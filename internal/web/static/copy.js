// Makes every button with data-copy put the code beside it on the clipboard.

export function copying(root) {
  root.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const code = button.parentElement.querySelector("code");
    const copied = await put(code);
    button.textContent = copied ? "Copied" : "Press Ctrl+C";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
}

async function put(code) {
  try {
    await navigator.clipboard.writeText(code.textContent);
    return true;
  } catch {
    // Plain http on another machine has no clipboard: leave the text selected.
    getSelection().selectAllChildren(code);
    return document.execCommand("copy");
  }
}
