package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/web/api"
)

// TestUpgrade starts hooktape on a data directory of an older version: tables of the older schema with events, replays,
// deliveries and attempts, and a spool with events and outcomes, because that process was killed while it received
// webhooks and ran a replay.
//
// The older version is the oldest release that this version descends from: the test builds its tag and lets it create
// the directory. Until there is a release, it is the last commit with tables of version 35 (d0a360d), the oldest that
// can be updated. Its directory is in testdata, because not every checkout has the history.
// HOOKTAPE_UPGRADE_FROM=COMMIT creates another one, and HOOKTAPE_UPGRADE_SAVE=FILE saves it.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "")
	if from := oldest(t); from != "" {
		prepareOldData(i, buildAt(t, from))
	} else if out, err := exec.Command("tar", "-xzf", "testdata/upgrade.tar.gz", "-C",
		i.dir).CombinedOutput(); err != nil {
		t.Fatalf("unpack the data directory: %v: %s", err, out)
	}
	if file := os.Getenv("HOOKTAPE_UPGRADE_SAVE"); file != "" {
		if out, err := exec.Command("tar", "-czf", file, "-C", i.dir, ".").CombinedOutput(); err != nil {
			t.Fatalf("save the data directory: %v: %s", err, out)
		}
	}
	text, err := os.ReadFile(filepath.Join(i.dir, "left.json"))
	if err != nil {
		t.Fatal(err)
	}
	var left map[string]oldEvent
	if err := json.Unmarshal(text, &left); err != nil {
		t.Fatal(err)
	}
	i.startReady("serve")
	assertEventsKept(i, left)
	assertDeliveriesKept(i)
	i.stop()
	i.startReady("serve") // a second start, on its own data
	if said := i.cli("migrate"); !strings.Contains(said, "nothing to do") {
		t.Errorf("a second migrate printed %q", said)
	}
	assertNumber(i, "events after a second start", "SELECT count() FROM events", uint64(len(left)))
	i.stop()
}

// oldEvent is an event as the older version stored or accepted it.
type oldEvent struct {
	Verdict event.Verdict
	Step    string
	Body    []byte
}

// beforeKill is the number of a replay's requests that were answered before its process was killed during the next one.
const beforeKill = 3

func assertEventsKept(i *instance, left map[string]oldEvent) {
	i.t.Helper()
	for id, want := range left {
		var e *event.Event
		i.eventually("event "+id+" is stored", func() (err error) {
			e, err = i.db.Event(i.t.Context(), uuid.MustParse(id))
			return err
		})
		if e.Verdict != want.Verdict || e.Step != want.Step || !bytes.Equal(e.Body, want.Body) {
			i.t.Errorf("event %s has verdict %s, step %q, body %q; was %+v", id, e.Verdict, e.Step, e.Body, want)
		}
		i.cli("events", "show", id)
	}
	var listed []api.Event
	if err := json.Unmarshal([]byte(i.cli("events", "list", "--limit", "1000", "--json", "--verdict", "accepted",
		"--verdict", "bad_token", "--verdict", "unknown_source", "--verdict", "bad_signature", "--verdict",
		"method_not_allowed", "--verdict", "too_large", "--verdict", "aborted", "--verdict", "malformed")),
		&listed); err != nil || len(listed) != len(left) {
		i.t.Errorf("%d events listed, want %d; %v", len(listed), len(left), err)
	}
	assertNumber(i, "events", "SELECT count() FROM events", uint64(len(left)))
}

func assertDeliveriesKept(i *instance) {
	i.t.Helper()
	const deliveries, attempts = "SELECT count() FROM deliveries FINAL WHERE endpoint LIKE '%/",
		"SELECT count() FROM attempts WHERE endpoint LIKE '%/"
	for what, c := range map[string]struct {
		query string
		want  int
	}{
		"delivered by the finished replay": {deliveries + "over' AND state = 'delivered' AND attempts = 1", 1},
		"refused in it":                    {deliveries + "over' AND state = 'failed' AND status_code = 404", 1},
		"its answers":                      {attempts + "over' AND response_body = 'taken'", 2},
		"delivered by the killed replay": {deliveries + "killed' AND state = 'delivered' AND attempts = 1",
			beforeKill},
		"deliveries of it with a subscriber": {deliveries + "killed' AND subscriber != ''", 6},
		"its answers, from the disk": {attempts +
			"killed' AND outcome = 'delivered' AND response_body = 'taken'", beforeKill},
		"its request with an unknown outcome": {attempts + "killed' AND outcome = 'unknown'", 1},
	} {
		i.eventually(what, func() error {
			if got := strings.TrimSpace(i.query(c.query)); got != fmt.Sprint(c.want) {
				return fmt.Errorf("%s, want %d", got, c.want)
			}
			return nil
		})
	}
	var replays []event.Replay
	if err := json.Unmarshal([]byte(i.cli("replay", "list", "--json")), &replays); err != nil || len(replays) != 2 {
		i.t.Errorf("%d replays listed: %v", len(replays), err)
	}
}

// prepareOldData lets an older hooktape create a data directory, and kills it.
func prepareOldData(i *instance, program string) {
	i.t.Helper()
	i.old = program
	defer func() { i.old = "" }()
	i.start("serve")
	demo := i.hookURL()
	_, chat, _ := strings.Cut(strings.TrimSpace(i.cli("sources", "add", "chat", "--signing-token",
		"a-token-of-bothelp")), "\t")
	for n, body := range []string{`{"name":"Джон","bothelp_user_id":1,"Доп данные":"да"}`, `{"bothelp_user_id":"2"}`} {
		i.post(fmt.Sprintf("%s/paid%d", demo, n), []byte(body))
	}
	i.untilStored(2)
	answered := 0 // requests are sent one after the other
	i.oldReplay(i.t.Context(), "over", func(w http.ResponseWriter) {
		if answered++; answered == 2 {
			w.WriteHeader(http.StatusNotFound)
		}
		fmt.Fprint(w, "taken")
	})

	for n, body := range []string{"", "no JSON \xff", `{"subscriber":{"user_id":9007199254740993}}`, `a=b`} {
		i.post(fmt.Sprintf("%s/odd%d", demo, n), []byte(body))
	}
	for url, status := range map[string]int{strings.Replace(demo, "/demo/", "/nobody/", 1): http.StatusNotFound,
		demo + "x": http.StatusNotFound, chat: http.StatusUnauthorized} {
		i.eventually("the request is refused", func() error { return statusOf(url, status) })
	}
	i.untilStored(9)
	left := i.storedEvents()
	answered = 0
	ctx, dead := context.WithCancel(i.t.Context())
	i.oldReplay(ctx, "killed", func(w http.ResponseWriter) {
		if answered++; answered > beforeKill {
			i.kill()
			dead()
			panic(http.ErrAbortHandler)
		}
		fmt.Fprint(w, "taken")
	})

	// ClickHouse is away, so that the following events stay on disk.
	env := i.env
	i.env = append(i.env, "HOOKTAPE_CLICKHOUSE_DSN=http://127.0.0.1:1/hooktape")
	i.start("ingest")
	for n := range 3 {
		step := fmt.Sprintf("waiting%d", n)
		body := fmt.Appendf(nil, `{"bothelp_user_id":%d}`, 100+n)
		left[i.post(demo+"/"+step, body)] = oldEvent{event.Accepted, step, body}
	}
	i.kill()
	i.env = env
	text, err := json.Marshal(left)
	if err != nil {
		i.t.Fatal(err)
	}
	writeFile(i.t, filepath.Join(i.dir, "left.json"), string(text))
}

// storedEvents returns the events of the tables.
func (i *instance) storedEvents() map[string]oldEvent {
	i.t.Helper()
	stored := map[string]oldEvent{}
	for line := range strings.Lines(i.query("SELECT toString(id) AS ID, verdict AS Verdict, step AS Step, " +
		"base64Encode(body) AS Body FROM events FORMAT JSONEachRow")) {
		var row struct {
			ID string
			oldEvent
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			i.t.Fatalf("decode a stored event: %v: %s", err, line)
		}
		stored[row.ID] = row.oldEvent
	}
	return stored
}

// untilStored waits for at least n events. A refused request may have been sent several times.
func (i *instance) untilStored(n int) {
	i.t.Helper()
	i.eventually(fmt.Sprintf("%d events are stored", n), func() error {
		text, err := i.ask("SELECT count() >= " + fmt.Sprint(n) + " FROM events")
		if err == nil && strings.TrimSpace(text) != "1" {
			err = errors.New("not yet")
		}
		return err
	})
}

// oldReplay replays all events to a receiver, one after the other, until its end or until ctx ends.
func (i *instance) oldReplay(ctx context.Context, name string, answer func(http.ResponseWriter)) {
	i.t.Helper()
	receiver := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		answer(w)
	}))
	// A port that no other program will use, because the rest of the replay is sent to it later.
	if listener, err := net.Listen("tcp", "127.93.7.11:0"); err == nil {
		receiver.Listener.Close()
		receiver.Listener = listener
	}
	receiver.Start()
	defer receiver.Close()
	create := exec.CommandContext(ctx, i.old, "replay", "create", "--since", "1h", "--to", receiver.URL+"/"+name,
		"--concurrency", "1", "--max-attempts", "1")
	create.Env = i.env
	out, err := create.CombinedOutput()
	i.t.Logf("%v: %s", err, out)
}

// buildAt builds hooktape and its engine at a commit.
func buildAt(t *testing.T, commit string) (program string) {
	t.Helper()
	dir := t.TempDir()
	for _, line := range []string{
		"git -C ../.. archive " + commit + " | tar -x -C " + dir,
		"cd " + dir + " && CGO_ENABLED=0 go build -o . ./cmd/...",
	} {
		if out, err := exec.Command("sh", "-c", line).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", line, err, out)
		}
	}
	return filepath.Join(dir, "hooktape")
}

// oldest returns the first release that this version descends from, empty if there is none yet.
func oldest(t *testing.T) string {
	if commit := os.Getenv("HOOKTAPE_UPGRADE_FROM"); commit != "" {
		return commit
	}
	tags, err := exec.Command("git", "tag", "--merged", "HEAD", "--sort=creatordate", "--list", "v*").Output()
	if err != nil {
		t.Logf("no git history: %v", err)
	}
	first, _, _ := strings.Cut(string(tags), "\n")
	return first
}
