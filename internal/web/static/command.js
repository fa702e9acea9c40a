// Writes the curl command that does what the page did.
import { address as predictions } from "./api.js";

export function command({ name, address, model, key }) {
  const words = [];
  let part = `image=@${formValue(name || "picture")}`;
  if (address) {
    // An example lies on the server, not on the reader's disk.
    words.push("curl", "-sS", quote(address), "|");
    part = `image=@-;filename=${formValue(name)}`;
  }
  words.push("curl", "-sS");
  // The variable, not the key: commands get pasted into chats.
  if (key) words.push("-H", '"Authorization: Bearer $GOSHAWK_KEY"');
  words.push("-F", quote(part), quote(predictions(model)));
  return words.join(" ");
}

// curl's own quoting inside -F, where ; and , have a meaning.
function formValue(name) {
  const plain = name === "-" ? "./-" : name;
  return /[;,"\\]/.test(plain) ? `"${plain.replace(/[\\"]/g, "\\$&")}"` : plain;
}

export function quote(word) {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
