package fetch

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/term"
)

const megabyte = 1_000_000

// showProgress tells how far a directory has grown towards the whole: a bar on a terminal, a line now and then elsewhere.
// It ends when the returned function does.
func showProgress(out io.Writer, dir string, whole int64) (stop func()) {
	file, ok := out.(*os.File)
	terminal := ok && term.IsTerminal(int(file.Fd()))
	interval := 5 * time.Second
	if terminal {
		interval = 200 * time.Millisecond
	}
	total := "about 180 MB"
	if whole != 0 {
		total = size(whole)
	}
	fmt.Fprintf(out, "fetching the engine, %s, once\n", total)
	over, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-over:
				if terminal {
					fmt.Fprint(out, "\r\x1b[K")
				}
				return
			case <-ticker.C:
			}
			if have := directorySize(dir); terminal {
				fmt.Fprintf(out, "\r%s\x1b[K", bar(have, whole))
			} else {
				fmt.Fprintf(out, "%s of %s\n", size(have), total)
			}
		}
	}()
	return func() { close(over); <-stopped }
}

// bar draws how much of the whole is there; of an unknown whole only the number.
func bar(have, whole int64) string {
	if whole == 0 {
		return size(have)
	}
	const width = 40
	have = min(have, whole)
	full := int(have * width / whole)
	return fmt.Sprintf("[%s%s] %s of %s", strings.Repeat("#", full), strings.Repeat(".", width-full), size(have), size(whole))
}

func size(bytes int64) string {
	return fmt.Sprintf("%d MB", (bytes+megabyte/2)/megabyte)
}

func directorySize(dir string) (sum int64) {
	filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			if info, err := entry.Info(); err == nil {
				sum += info.Size()
			}
		}
		return nil
	})
	return sum
}
