// The documentation needs no script; this only makes its copy buttons work.
import { copying } from "./copy.js";

document.documentElement.classList.add("scripted");
copying(document);
