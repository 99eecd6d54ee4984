package fetch

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/dustin/go-humanize"
	"golang.org/x/term"
)

// showProgress prints the size of a directory on its way to whole bytes: in place on a terminal, otherwise a line every
// few seconds. It ends when stop returns.
func showProgress(out io.Writer, dir string, whole int64) (stop func()) {
	interval, line, end := 5*time.Second, "%s of %s\n", ""
	if file, ok := out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		interval, line, end = 200*time.Millisecond, "\r%s of %s\x1b[K", "\r\x1b[K"
	}
	total := "about 180 MB"
	if whole != 0 {
		total = humanize.Bytes(uint64(whole))
	}
	fmt.Fprintf(out, "fetching the engine, %s, once\n", total)
	ctx, cancel := context.WithCancel(context.Background())
	var telling sync.WaitGroup
	telling.Go(func() {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				fmt.Fprint(out, end)
				return
			case <-ticker.C:
				fmt.Fprintf(out, line, humanize.Bytes(directorySize(dir)), total)
			}
		}
	})
	return func() { cancel(); telling.Wait() }
}

func directorySize(dir string) (sum uint64) {
	filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			if info, err := entry.Info(); err == nil {
				sum += uint64(info.Size())
			}
		}
		return nil
	})
	return sum
}
