package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"hooktape/internal/setting"
)

// TestReload verifies that an added source works without a restart, that an invalid file is refused while the old
// configuration stays, that SIGHUP makes hooktape read the file again, and that no request is dropped meanwhile.
func TestReload(t *testing.T) {
	t.Parallel()
	i := newInstance(t, noClickHouse)
	writeConfig(t, i)
	i.start("ingest")
	demo := i.hookURL()
	path := filepath.Join(i.dir, "hooktape.yaml")

	stop, dropped := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(dropped)
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			response, err := http.Post(demo, "application/json", strings.NewReader(`{"user_id":1}`))
			if err == nil {
				response.Body.Close()
				if response.StatusCode != http.StatusOK {
					err = fmt.Errorf("request %d got %s", n, response.Status)
				}
			}
			if err != nil {
				dropped <- err
				return
			}
		}
	}()

	_, added, _ := strings.Cut(strings.TrimSpace(i.cli("sources", "add", "shop")), "\t")
	i.eventually("the added source works", func() error { return statusOf(added, http.StatusOK) })

	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(good, "nonsense: 1\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	i.eventually("the wrong file is refused", func() error {
		if !strings.Contains(i.output.String(), "the changed configuration is refused; the old one stays in force") {
			return fmt.Errorf("the log does not mention it")
		}
		return statusOf(added, http.StatusOK)
	})

	without := good[:strings.Index(string(good), "  - name: shop")]
	rest := good[strings.Index(string(good), "\napi:"):]
	if err := os.WriteFile(path, append(without[:len(without):len(without)], rest...), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := i.command.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	i.eventually("the removed source is unknown", func() error { return statusOf(added, http.StatusNotFound) })

	close(stop)
	if err := <-dropped; err != nil {
		t.Error(err)
	}
	i.stop()
}

// TestHalfWrittenConfig writes the configuration in pieces, each of which makes a valid file, and empties it. It
// verifies that a source that the file had never becomes unknown meanwhile.
func TestHalfWrittenConfig(t *testing.T) {
	t.Parallel()
	i := newInstance(t, noClickHouse)
	writeConfig(t, i)
	i.start("ingest")
	path := filepath.Join(i.dir, "hooktape.yaml")
	demo := i.hookURL()
	_, last, _ := strings.Cut(strings.TrimSpace(i.cli("sources", "add", "last")), "\t")
	i.eventually("the added source works", func() error { return statusOf(last, http.StatusOK) })
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	reloaded := func() int { return strings.Count(i.output.String(), "the configuration is reloaded") }
	bothWork := func() {
		t.Helper()
		for _, url := range []string{demo, last} {
			if err := statusOf(url, http.StatusOK); err != nil {
				t.Fatalf("while the file is written: %v\n%s", err, i.output)
			}
		}
	}
	for round, tries := 0, 0; round < 3; tries++ {
		if tries == 20 {
			t.Fatal("this machine is too slow to write a file without a long pause")
		}
		before := reloaded()
		stop, failed := make(chan struct{}), make(chan error, 1)
		go func() {
			for {
				for _, url := range []string{demo, last} {
					if err := statusOf(url, http.StatusOK); err != nil {
						failed <- err
						return
					}
				}
				select {
				case <-stop:
					failed <- nil
					return
				default:
				}
			}
		}()
		pause := i.writeSlowly(path, string(good)+strings.Repeat("# more\n", 20*round), round == 2)
		close(stop)
		err := <-failed
		if pause >= setting.Quiet { // indistinguishable from a completed write
			i.eventually("both work again", func() error {
				return errors.Join(statusOf(demo, http.StatusOK), statusOf(last, http.StatusOK))
			})
			continue
		}
		if err != nil {
			t.Fatalf("while the file is written: %v\n%s", err, i.output)
		}
		i.eventually("the complete file is read", func() error {
			bothWork()
			if reloaded() == before {
				return fmt.Errorf("not reloaded")
			}
			return nil
		})
		round++
	}
	for name, text := range map[string]string{"is empty: restore it": "",
		"has no source any more": "api_addr: 127.0.0.1:1\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		i.eventually("a file without sources is refused", func() error {
			if !strings.Contains(i.output.String(), name) {
				return fmt.Errorf("the log does not contain %q", name)
			}
			return nil
		})
		bothWork()
	}
	i.stop()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(i.binary(), "serve")
	command.Env = i.env
	if out, err := command.CombinedOutput(); err == nil || !strings.Contains(string(out), path+" is empty") {
		t.Errorf("start with an empty configuration: %v\n%s", err, out)
	}
}

// writeSlowly writes a file line by line, and sends SIGHUP after each line if hangup is set. It returns its longest
// pause.
func (i *instance) writeSlowly(path, text string, hangup bool) (pause time.Duration) {
	i.t.Helper()
	file, err := os.Create(path)
	if err != nil {
		i.t.Fatal(err)
	}
	defer file.Close()
	last := time.Now()
	for _, line := range strings.SplitAfter(text, "\n") {
		if _, err := file.WriteString(line); err != nil {
			i.t.Fatal(err)
		}
		pause = max(pause, time.Since(last))
		last = time.Now()
		if hangup {
			if err := i.command.Process.Signal(syscall.SIGHUP); err != nil {
				i.t.Fatal(err)
			}
		}
		time.Sleep(setting.Quiet / 10)
	}
	return pause
}

func statusOf(url string, want int) error {
	response, err := http.Post(url, "application/json", strings.NewReader(`{"user_id":2}`))
	if err != nil {
		return err
	}
	response.Body.Close()
	if response.StatusCode != want {
		return fmt.Errorf("got %s, want %d", response.Status, want)
	}
	return nil
}
