// Package browsertest tests pages in a real browser.
package browsertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"

	"hooktape/internal/testutil"
)

// answerTime is the timeout of a single question to Chromium. A test asks again until it gets the answer that it
// expects.
const answerTime = 10 * time.Second

// Browser is a tab of a headless Chromium, which closes when the test ends. It shares neither cookies nor storage with
// other tabs.
type Browser struct {
	t   testing.TB
	ctx context.Context

	mu       sync.Mutex
	requests []string
	trouble  []string
}

// New opens a tab. All tests of a process share one Chromium, which runs while a test uses it or [Hold] keeps it.
// Without Chromium the test fails.
func New(t testing.TB) *Browser {
	t.Helper()
	chromium, err := start()
	t.Cleanup(release)
	if err != nil {
		t.Fatal(err)
	}
	browser := cdp.WithExecutor(chromium, chromedp.FromContext(chromium).Browser)
	profile, err := target.CreateBrowserContext().Do(browser)
	if err != nil {
		t.Fatalf("open a browser context: %v", err)
	}
	t.Cleanup(func() { _ = target.DisposeBrowserContext(profile).Do(browser) })
	tab, err := target.CreateTarget("about:blank").WithBrowserContextID(profile).WithNewWindow(true).Do(browser)
	if err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	ctx, _ := chromedp.NewContext(chromium, chromedp.WithTargetID(tab))
	t.Cleanup(func() { _ = chromedp.Cancel(ctx) })
	b := &Browser{t: t, ctx: ctx}
	chromedp.ListenTarget(ctx, b.note)
	// Several tabs may be open: each handles keys as if it had the focus.
	b.Run(network.Enable(), runtime.Enable(), page.Enable(), log.Enable(), emulation.SetFocusEmulationEnabled(true))
	return b
}

// note records the events of a page.
func (b *Browser) note(happened any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := happened.(type) {
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	case *network.EventWebSocketCreated:
		b.requests = append(b.requests, e.URL)
	case *runtime.EventExceptionThrown:
		b.trouble = append(b.trouble, "exception: "+e.ExceptionDetails.Error())
	case *log.EventEntryAdded:
		if e.Entry.Source == log.SourceSecurity { // a violation of the page's policy
			b.trouble = append(b.trouble, "security: "+e.Entry.Text)
		}
	case *page.EventJavascriptDialogOpening:
		b.trouble = append(b.trouble, "dialog: "+e.Message)
	case *runtime.EventConsoleAPICalled:
		b.trouble = append(b.trouble, fmt.Sprintf("console.%s with %d arguments", e.Type, len(e.Args)))
	}
}

// Trouble returns the exceptions, console messages and dialogs of all pages so far, and violations of their policies. A
// correct page has none.
func (b *Browser) Trouble() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.trouble...)
}

// Elsewhere returns the requests so far to URLs that do not begin with base.
func (b *Browser) Elsewhere(base string) (list []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, url := range b.requests {
		if !strings.HasPrefix(url, base) && !strings.HasPrefix(url, "data:") {
			list = append(list, url)
		}
	}
	return list
}

// Run executes actions, which must succeed in time. It repeats an action that fails because the page
// replaced its element or was loaded again.
func (b *Browser) Run(actions ...chromedp.Action) {
	b.t.Helper()
	for _, action := range actions {
		if err := b.repeat(action); err != nil {
			b.t.Fatalf("in the browser: %v\n%s", err, b.snapshot())
		}
	}
}

// repeat executes an action, and again while it fails because the page has changed.
func (b *Browser) repeat(action chromedp.Action) error {
	err := b.try(testutil.Timeout(b.t), action)
	for deadline := time.Now().Add(testutil.Timeout(b.t)); changed(err) && time.Now().Before(deadline); {
		err = b.try(testutil.Timeout(b.t), action)
	}
	return err
}

// changed reports whether an action failed because its element or its page no longer existed. Chromium has several
// texts for that.
func changed(err error) bool {
	return err != nil && slices.ContainsFunc([]string{"node with given id", "context with specified id",
		"default execution context", "context was destroyed", "navigated or closed"},
		func(text string) bool { return strings.Contains(err.Error(), text) })
}

func (b *Browser) try(within time.Duration, actions ...chromedp.Action) error {
	ctx, cancel := b.ctx, context.CancelFunc(func() {})
	if chromedp.FromContext(b.ctx).Target != nil { // a tab ends with the context of its first run
		ctx, cancel = context.WithTimeout(b.ctx, within)
	}
	defer cancel()
	return chromedp.Run(ctx, actions...)
}

// snapshot describes the current page for a failed test.
func (b *Browser) snapshot() string {
	var url, text string
	if err := b.try(5*time.Second, chromedp.Location(&url),
		chromedp.Evaluate("document.body ? document.body.innerText.slice(0, 3000) : ''", &text)); err != nil {
		return "(the page does not answer)"
	}
	return "--- " + url + "\n" + text
}

// Open opens a page.
func (b *Browser) Open(url string) {
	b.t.Helper()
	b.Run(chromedp.Navigate(url))
}

// Script evaluates a JavaScript expression, regardless of the page's policy.
func (b *Browser) Script(expression string, result any) {
	b.t.Helper()
	b.Run(chromedp.Evaluate(expression, result))
}

// Await waits until a JavaScript expression is true.
func (b *Browser) Await(expression string) {
	b.t.Helper()
	err := testutil.Await(b.t, func() error {
		var now bool
		err := b.try(answerTime, chromedp.Evaluate("!!("+expression+")", &now)) // fails while another page loads
		if err == nil && !now {
			err = errors.New("it is false")
		}
		return err
	})
	if err != nil {
		b.t.Fatalf("waiting for %s: %v\n%s", expression, err, b.snapshot())
	}
}

// AwaitText waits until an element contains a text.
func (b *Browser) AwaitText(selector, text string) {
	b.t.Helper()
	b.Await(fmt.Sprintf("document.querySelector(%q)?.textContent.includes(%q)", selector, text))
}

// Text returns the text of an element.
func (b *Browser) Text(selector string) (text string) {
	b.t.Helper()
	b.Script(fmt.Sprintf("document.querySelector(%q)?.textContent ?? ''", selector), &text)
	return text
}

// Press presses the key of a character where the focus is. As on a keyboard, the character is typed unless the page
// handles the key.
func (b *Browser) Press(key string) {
	b.t.Helper()
	b.Run(input.DispatchKeyEvent(input.KeyDown).WithKey(key).WithText(key),
		input.DispatchKeyEvent(input.KeyUp).WithKey(key))
}

// Click clicks the first element that a selector finds, and waits for the page that it opens, if any.
func (b *Browser) Click(selector string) {
	b.t.Helper()
	if err := b.repeat(chromedp.Click(selector, chromedp.ByQuery)); err != nil {
		b.t.Fatalf("click %s: %v\n%s", selector, err, b.snapshot())
	}
}

// Resize sets the size of the window, in CSS pixels.
func (b *Browser) Resize(width, height int64) {
	b.t.Helper()
	b.Run(chromedp.EmulateViewport(width, height))
}

// Dark selects the dark colours, or the light ones.
func (b *Browser) Dark(dark bool) {
	b.t.Helper()
	scheme := map[bool]string{true: "dark", false: "light"}[dark]
	b.Run(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme",
		Value: scheme}}))
}

// WithoutScripts switches JavaScript off in pages opened from now on.
func (b *Browser) WithoutScripts() {
	b.t.Helper()
	b.Run(emulation.SetScriptExecutionDisabled(true))
}
