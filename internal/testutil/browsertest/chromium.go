package browsertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"

	"github.com/chromedp/chromedp"

	"hooktape/internal/testutil"
)

// shared is the Chromium of this process.
var shared struct {
	sync.Mutex
	users int
	ctx   context.Context // nil while none runs
	stop  func()
}

// Hold keeps Chromium running between tests until stop is called, because starting it takes a second or more. TestMain
// calls stop at the end. Hold itself does not start Chromium.
func Hold() (stop func()) {
	shared.Lock()
	defer shared.Unlock()
	shared.users++
	return release
}

// start returns the context of the running Chromium, which it starts if necessary. Every call needs a call of release.
func start() (context.Context, error) {
	shared.Lock()
	defer shared.Unlock()
	shared.users++
	if shared.ctx != nil {
		return shared.ctx, nil
	}
	path := find()
	if path == "" {
		return nil, errors.New("this test needs Chromium: apt-get install chromium (or brew install --cask chromium)")
	}
	dir, err := os.MkdirTemp("", "chromium")
	if err != nil {
		return nil, err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.WSURLReadTimeout(testutil.Patience),
		chromedp.UserDataDir(dir), chromedp.Flag("disable-gpu", true), chromedp.Flag("disable-quic",
			true), chromedp.Flag("disable-component-update", true))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ := chromedp.NewContext(allocator)
	shared.stop = func() {
		_ = chromedp.Cancel(ctx) // in order, so that its directory can be removed
		stop()
		_ = os.RemoveAll(dir)
	}
	if err := chromedp.Run(ctx); err != nil {
		shared.stop()
		return nil, fmt.Errorf("start Chromium: %w", err)
	}
	shared.ctx = ctx
	return ctx, nil
}

// release stops Chromium when no test uses it.
func release() {
	shared.Lock()
	defer shared.Unlock()
	if shared.users--; shared.users == 0 && shared.ctx != nil {
		shared.stop()
		shared.ctx = nil
	}
}

func find() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome",
		"/Applications/Chromium.app/Contents/MacOS/Chromium"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}
