package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hooktape/internal/archive"
	"hooktape/internal/event"
)

// TestDamage verifies that a detached part and one with a flipped bit are reported by the log, by /readyz of the
// delivering process and by doctor, with a remedy. The ingest stays ready. A backup has all readable rows and names the
// others. After doctor's remedy everything is ok.
func TestDamage(t *testing.T) {
	t.Parallel()
	// one granule of 8,192 and a small one, because ClickHouse takes long to detect damage in a large block
	const events = 9_000
	i := newInstance(t, "")
	i.configure("spool: {min_free: 1MiB}\n")
	i.startReady("serve")
	i.query("SYSTEM STOP MERGES events")
	i.insert(10)
	cut, path := i.part()
	i.stop()
	data := filepath.Join(path, "data.bin")
	info, err := os.Stat(data)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(data, info.Size()-1); err != nil {
		t.Fatal(err)
	}

	i.startReady("serve")
	i.query("SYSTEM STOP MERGES events")
	part := "broken-on-start_" + cut
	i.eventually("the log reports the part", func() error {
		return contains(i.output.String(), `level=ERROR msg="ClickHouse cannot read a part" table=events part=`+part)
	})
	i.eventually("the delivering process is not ready", func() error {
		return i.readyz(i.api, http.StatusServiceUnavailable,
			`"clickhouse":"has a part that it cannot read; see the log, or hooktape doctor"`)
	})
	if err := i.readyz(i.ingest, http.StatusOK,
		`"clickhouse":"has a part that it cannot read; see the log, or hooktape doctor"`); err != nil {
		t.Error(err)
	}
	drop := "ALTER TABLE `events` DROP DETACHED PART '" + part + "' SETTINGS allow_drop_detached = 1"
	r := i.try("doctor")
	if err := errors.Join(contains(r.out, "✗ ClickHouse", "the table events lacks the rows of the part "+part,
		drop)); r.code != 2 || err != nil {
		t.Errorf("doctor: exit code %d: %v", r.code, err)
	}
	i.query(drop)

	i.query("ALTER TABLE events MODIFY SETTING min_bytes_for_wide_part = 0") // one file for each column
	i.insert(events)
	i.eventually("doctor finds no problem", func() error {
		if r := i.try("doctor", "--deep"); r.code != 0 {
			return fmt.Errorf("exit code %d: %s", r.code, r.out)
		}
		return nil
	})
	flipped, path := i.part()
	flip(t, filepath.Join(path, "id.bin"))
	r = i.try("doctor", "--deep")
	if err := contains(r.out, "✗ data", "the table events cannot be read completely: its part "+flipped+" in "+path,
		"ALTER TABLE `events` DROP PART '"+flipped+"'"); r.code != 2 || err != nil {
		t.Errorf("doctor --deep: exit code %d: %v", r.code, err)
	}

	dir := filepath.Join(i.dir, "backup")
	r = i.try("backup", dir)
	if err := contains(r.out, "NOT in it, because ClickHouse cannot read them: rows ",
		" of the part "+flipped+" of events"); r.code != 2 || err != nil {
		t.Errorf("backup: exit code %d: %v%s", r.code, err, r.err)
	}
	m, err := archive.Check(dir)
	if err != nil {
		t.Fatal(err)
	}
	saved := m.Tables[slices.IndexFunc(m.Tables, func(f archive.File) bool { return f.Table == "events" })]
	if len(saved.Unreadable) != 1 {
		t.Fatalf("the manifest has %+v, want one unreadable range", saved)
	}
	u := saved.Unreadable[0]
	if lost := u.To - u.From; u.Part != flipped || lost != events-8192 || saved.Rows != events-lost {
		t.Errorf("of %d events the backup has %d, unreadable are %+v", events, saved.Rows, u)
	}

	// The procedure of docs/OPERATIONS.md.
	rescue := strings.Replace(i.dsn, "/hooktape", "/hooktape_rescue", 1)
	i.cli("restore", dir, "--clickhouse-dsn", rescue)
	i.query("ALTER TABLE `events` DROP PART '" + flipped + "'")
	i.query("INSERT INTO events SELECT * FROM hooktape_rescue.events WHERE id NOT IN (SELECT id FROM events)")
	i.query("DROP DATABASE hooktape_rescue")
	if got := i.query("SELECT count() FROM events"); got != fmt.Sprintln(saved.Rows) {
		t.Errorf("%s events after the restore, want %d", got, saved.Rows)
	}
	if r := i.try("doctor", "--deep"); r.code != 0 {
		t.Errorf("doctor --deep: exit code %d: %s", r.code, r.out)
	}
	i.stop()
	i.startReady("serve")
	i.eventually("the delivering process is ready", func() error {
		return i.readyz(i.api, http.StatusOK, `"ready":true`)
	})
}

// insert stores events in one part.
func (i *instance) insert(n int) {
	i.t.Helper()
	now := time.Now().UTC().Truncate(time.Microsecond)
	events := make([]event.Event, n)
	for k := range events {
		at := now.Add(time.Duration(k) * time.Microsecond)
		id := event.NewID(at)
		events[k] = event.Event{Received: event.Received{ID: id, ReceivedAt: at, Source: "demo",
			Verdict: event.Accepted, Method: "POST", Body: id[:4]},
			Decoded: event.Decoded{Kind: event.KindFlow}}
	}
	if err := i.db.InsertEvents(context.Background(), "", events); err != nil {
		i.t.Fatal(err)
	}
}

// part returns the name and path of the only part of events that has rows.
func (i *instance) part() (name, path string) {
	i.t.Helper()
	name, path, _ = strings.Cut(strings.TrimSpace(i.query("SELECT name, path FROM system.parts WHERE active AND "+
		"table = 'events' AND rows > 0")), "\t")
	return name, path
}

// readyz returns an error unless a probe is answered with this status and a text that contains says.
func (i *instance) readyz(addr string, status int, says string) error {
	response, err := http.Get("http://" + addr + "/readyz")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != status {
		err = fmt.Errorf("got status %d, want %d", response.StatusCode, status)
	}
	if !json.Valid(body) {
		err = errors.Join(err, errors.New("the answer is not JSON"))
	}
	return errors.Join(err, contains(string(body), says))
}

// contains returns an error unless text contains all words.
func contains(text string, words ...string) error {
	for _, word := range words {
		if !strings.Contains(text, word) {
			return fmt.Errorf("%q is not in\n%s", word, text)
		}
	}
	return nil
}

// flip flips one bit near the end of a file.
func flip(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-len(data)/50] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
