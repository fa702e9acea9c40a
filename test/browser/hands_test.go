//go:build ci

package browser

import (
	"fmt"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// What a person does: find by role and name, click, choose, drop, paste, press keys.

// look gives the things with this role and name, as a screen reader knows them.
func (b *tab) look(role, name string) []cdp.BackendNodeID {
	b.Helper()
	root := call(b, dom.GetDocument, dom.GetDocumentParams{}).Root
	found := call(b, accessibility.QueryAXTree, accessibility.QueryAXTreeParams{
		BackendNodeID: root.BackendNodeID, Role: role, AccessibleName: name,
	})
	var out []cdp.BackendNodeID
	for _, node := range found.Nodes {
		if !node.Ignored {
			out = append(out, node.BackendDOMNodeID)
		}
	}
	return out
}

// find waits for the first thing with this role and name.
func (b *tab) find(role, name string) cdp.BackendNodeID {
	b.Helper()
	var found []cdp.BackendNodeID
	b.await(fmt.Sprintf("a %s called %q", role, name), func() bool {
		found = b.look(role, name)
		return len(found) > 0
	})
	return found[0]
}

// click presses the mouse on the middle of the first thing with this role and name.
func (b *tab) click(role, name string) {
	b.Helper()
	b.clickNode(b.find(role, name))
}

func (b *tab) clickNode(node cdp.BackendNodeID) {
	b.Helper()
	call(b, dom.ScrollIntoViewIfNeeded, dom.ScrollIntoViewIfNeededParams{BackendNodeID: node})
	quads := call(b, dom.GetContentQuads, dom.GetContentQuadsParams{BackendNodeID: node}).Quads
	if len(quads) == 0 {
		b.Fatal("what should be clicked has no place on the screen")
	}
	q := quads[0]
	run(b, "click", chromedp.MouseClickXY((q[0]+q[4])/2, (q[1]+q[5])/2))
}

// clickText presses the mouse on the smallest label with this text.
func (b *tab) clickText(text string) {
	b.Helper()
	run(b, "click "+text, chromedp.Click(`//*[normalize-space(text())="`+text+`"]`))
}

// choose answers the file dialog that the page has opened.
func (b *tab) choose(files ...string) {
	b.Helper()
	select {
	case node := <-b.dialogs:
		call(b, dom.SetFileInputFiles, dom.SetFileInputFilesParams{Files: files, BackendNodeID: node})
	case <-time.After(patience):
		b.Fatal("no file dialog opened")
	}
}

// drop lets files fall on the page, as from a file manager.
func (b *tab) drop(files ...string) {
	b.Helper()
	for _, step := range []input.DispatchDragEventType{
		input.DispatchDragEventTypeDragEnter, input.DispatchDragEventTypeDragOver, input.DispatchDragEventTypeDrop,
	} {
		call(b, input.DispatchDragEvent, input.DispatchDragEventParams{
			Type: step, X: 150, Y: 300, Data: &input.DragData{Items: []*input.DragDataItem{}, Files: files, DragOperationsMask: 1},
		})
	}
}

// paste puts a picture of the page on the clipboard and presses the paste keys.
func (b *tab) paste(path string) {
	b.Helper()
	b.permitClipboard()
	run(b, "fill the clipboard", chromedp.Evaluate[chromedp.Void](`(async () => {
		const picture = await createImageBitmap(await (await fetch("`+path+`")).blob());
		const canvas = new OffscreenCanvas(picture.width, picture.height);
		canvas.getContext("2d").drawImage(picture, 0, 0);
		await navigator.clipboard.write([new ClipboardItem({"image/png": await canvas.convertToBlob()})]);
	})()`, chromedp.EvalAwaitPromise))
	call(b, input.DispatchKeyEvent, input.DispatchKeyEventParams{
		Type: input.DispatchKeyEventTypeKeyDown, Modifiers: 2, Key: "v", Code: "KeyV", WindowsVirtualKeyCode: 86, Commands: []string{"paste"},
	})
}

func (b *tab) permitClipboard() {
	b.Helper()
	for _, name := range []string{"clipboard-read", "clipboard-write"} {
		_, err := chromedp.CallBrowser(b.ctx, browser.SetPermission, browser.SetPermissionParams{
			Permission: &browser.PermissionDescriptor{Name: name}, Setting: browser.PermissionSettingGranted,
			Origin: b.origin, BrowserContextID: chromedp.FromContext(b.ctx).BrowserContextID,
		})
		if err != nil {
			b.Fatalf("permit the clipboard: %v", err)
		}
	}
}

func (b *tab) clipboard() string {
	b.Helper()
	return run(b, "read the clipboard", chromedp.Evaluate[string](`navigator.clipboard.readText()`, chromedp.EvalAwaitPromise))
}

// offline cuts the page off from its server, or joins them again.
func (b *tab) offline(cut bool) {
	b.Helper()
	call(b, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
		MatchedNetworkConditions: []*network.Conditions{{Offline: cut, DownloadThroughput: -1, UploadThroughput: -1}},
	})
}

// press sends keys; the special ones are in chromedp's package kb.
func (b *tab) press(keys string) {
	b.Helper()
	run(b, "press a key", chromedp.KeyEvent(keys))
}

// tabTo presses Tab until the thing with this name has the keyboard.
func (b *tab) tabTo(name string) {
	b.Helper()
	const most = 60
	for range most {
		b.press("\t")
		if b.focused() == name {
			return
		}
	}
	b.Fatalf("%d times Tab never reached %q", most, name)
}

// focused is the first line of the name of what has the keyboard.
func (b *tab) focused() string {
	b.Helper()
	return run(b, "look at the focus", chromedp.Evaluate[string](`(() => {
		const e = document.activeElement;
		return (e.getAttribute("aria-label") || e.labels?.[0]?.innerText || e.innerText || e.tagName).trim().split("\n")[0];
	})()`))
}
