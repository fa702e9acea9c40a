// Package browser walks through the pages in a real Chromium as people do: by
// role and visible text, at the width of a phone and of a desk, failing on any
// error in the console and any request to another host. Its tests stand behind
// the build tag ci: they need chromium on the PATH and the binary bin/goshawk.
package browser
