package main

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"hooktape/internal/store"
)

// TestPasswordIsWrong starts hooktape with an outdated ClickHouse password. It verifies that webhooks are accepted,
// that the log says what is wrong, and that the events are stored once the password is right.
func TestPasswordIsWrong(t *testing.T) {
	t.Parallel()
	address := freeAddr(t)
	i := newInstance(t, "http://default:0ld-password@"+address+"/hooktape")
	dir, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	engine := exec.Command(filepath.Join(dir, "embedded-clickhouse"), "serve", "--temporary", "--listen", address,
		"--password", "n3w-password")
	if err := engine.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Process.Kill(); _ = engine.Wait() })
	i.start("serve")
	i.eventually("the log reports the wrong password", func() error {
		if !strings.Contains(i.output.String(), "refuses the user or password") {
			return errors.New("no line about it")
		}
		return nil
	})
	id := i.post(i.hookURL(), []byte(`{"name":"Ада"}`))
	if text := i.output.String(); strings.Contains(text, "0ld-password") {
		t.Errorf("the log shows the password:\n%s", text)
	}
	i.stop()
	if out := i.cli("spool", "stat", "--json"); !strings.Contains(out, `"events"`) ||
		strings.Count(out, `"waiting": 1,`) != 1 || !strings.Contains(out, `"outcomes"`) {
		t.Errorf("got on disk:\n%s", out)
	}
	dsn := "http://default:n3w-password@" + address + "/hooktape"
	i.env = append(i.env, "HOOKTAPE_CLICKHOUSE_DSN="+dsn)
	i.start("serve")
	db, err := store.Open(dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	i.eventually("the event is stored", func() error {
		_, err := db.Event(t.Context(), uuid.MustParse(id))
		return err
	})
}
