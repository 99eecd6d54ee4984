package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/testutil"
	"hooktape/internal/testutil/storetest"
	"hooktape/web/api"
)

const replayTestConfig = `
sources:
  - {name: demo, token: the-token-of-demo-0123}
api:
  tokens:
    - {name: boss, token: the-token-of-boss-0123, role: admin}
    - {name: rob, token: the-token-of-rob-01234, role: read}
endpoints:
  - name: crm
    url: %[1]s/crm?key=the-key-of-crm
    allow_private: true
    retry: {schedule: [50ms], max_attempts: 1}
    breaker: {failures: 0}
  - {name: v2, url: "%[1]s/v2", allow_private: true}
`

// TestReplayCommands follows the repair of a broken CRM with the real programs. The commands must print the same with
// the API as with the database.
func TestReplayCommands(t *testing.T) {
	t.Parallel()
	target, broken := newReceiver(t), make(chan struct{})
	handler := target.Config.Handler
	target.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-broken:
			handler.ServeHTTP(w, r)
		default:
			http.Error(w, "the CRM is down", http.StatusServiceUnavailable)
		}
	})
	i := newInstance(t, storetest.DSN(t))
	writeFile(t, filepath.Join(i.dir, "hooktape.yaml"), fmt.Sprintf(replayTestConfig, target.URL))
	i.startReady("serve")
	url := i.hookURL()
	var ids []string
	for n := range 30 {
		ids = append(ids,
			i.post(url+"/paid", fmt.Appendf(nil, `{"bothelp_user_id":%d,"name":"Анна","город":"Омск"}`, n%5)))
	}
	i.eventually("all events are stored", func() error {
		stored, err := i.db.StoredEvents(context.Background(), uuids(ids))
		if err == nil && len(stored) != len(ids) {
			err = fmt.Errorf("%d stored", len(stored))
		}
		return err
	})
	remote := []string{"--api-url", "http://" + i.api}
	over := func(args ...string) result { return i.try(append(append([]string{}, remote...), args...)...) }

	// Existing events, and the plan of a replay.
	for _, args := range [][]string{
		{"events", "list", "--step", "paid", "--field", "город=Омск", "--subscriber", "3", "--json"},
		{"events", "list", "--limit", "5"},
		{"events", "show", ids[0]},
		{"events", "show", ids[0], "--json"},
		{"events", "show", ids[0], "--raw"},
		{"replay", "create", "--source", "demo", "--to", "crm", "--rate", "10", "--dry-run"},
		{"replay", "create", "--source", "demo", "--to", "crm", "--dry-run", "--json"},
		{"replay", "create", "--source", "nothing", "--to", "crm"},
		{"replay", "create", "--to", "nowhere"},
		{"replay", "create", "--to", "http://127.0.0.1:1/", "--id", ids[0]},
		{"events", "list", "--where", "length(body > 1"},
		{"replay", "list"},
		{"endpoints", "list", "--json"},
	} {
		here, there := i.try(args...), over(args...)
		if here != there {
			t.Errorf("%v\n--- with the database: %d\n%s%s\n--- with the API: %d\n%s%s", args, here.code, here.out,
				here.err, there.code, there.out, there.err)
		}
		if here.code != 0 && !strings.HasPrefix(here.err, "hooktape: ") {
			t.Errorf("%v: exit code %d, %s", args, here.code, here.err)
		}
	}
	if plan := over("replay", "create", "--source", "demo", "--to", "crm", "--rate", "10",
		"--dry-run"); plan.code != 0 ||
		!strings.Contains(plan.out, "30 events would go to crm") ||
		!strings.Contains(plan.out, "at 10 a second that takes 3s") || !strings.Contains(plan.out, "The first 10:") {
		t.Errorf("plan: %d\n%s%s", plan.code, plan.out, plan.err)
	}
	if none := over("replay", "create", "--source", "nothing", "--to", "crm"); none.code != 0 ||
		!strings.Contains(none.out, "there is nothing to replay") {
		t.Errorf("replay without events: %d\n%s%s", none.code, none.out, none.err)
	}

	// The CRM fails again: the replay pauses and says why and how to continue.
	stopped := over("replay", "create", "--source", "demo", "--to", "crm", "--order", "subscriber", "--rate", "50",
		"--stop-after-failures", "4")
	if stopped.code != 2 || !strings.Contains(stopped.out, "paused: 30 events:") ||
		!strings.Contains(stopped.err, "4 failed attempts in a row") ||
		!strings.Contains(stopped.err, "hooktape replay resume ") {
		t.Fatalf("replay to a failing endpoint: %d\n%s%s", stopped.code, stopped.out, stopped.err)
	}
	var list []event.Replay
	if err := json.Unmarshal([]byte(over("replay", "list", "--state", "paused", "--json").out), &list); err != nil ||
		len(list) != 1 || list[0].CreatedBy != "boss" {
		t.Fatalf("replay list: %+v, %v", list, err)
	}
	id := list[0].ID.String()
	close(broken)
	if r := i.try("replay", "resume", id); r.code != 0 || !strings.HasPrefix(r.out, "running: ") &&
		!strings.HasPrefix(r.out, "completed") || r.err != "" {
		t.Errorf("resume: %d %s%s", r.code, r.out, r.err)
	}
	if r := over("replay", "watch", id); r.code != 2 || !strings.HasPrefix(r.out, "completed with ") ||
		!strings.Contains(r.out, " failures: 30 events: ") {
		t.Errorf("watch: %d %s%s", r.code, r.out, r.err)
	}
	// What failed, by a beginning of the id and as the last one; a repeat needs a confirmation.
	failed := over("replay", "deliveries", id[:13], "--state", "failed", "--format", "ndjson")
	var one api.Delivery
	if err := json.Unmarshal([]byte(strings.SplitN(failed.out, "\n", 2)[0]), &one); err != nil ||
		one.State != event.Failed || one.AttemptCount == 0 || one.ReplayID.String() != id {
		t.Errorf("what failed: %d %s%s, %v", failed.code, failed.out, failed.err, err)
	}
	for _, step := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"deliveries", "show", one.ID[:40]}, 0, "delivery    " + one.ID},
		{[]string{"deliveries", "show", one.ID[:3]}, 1, "at least its first 8 characters"},
		{[]string{"deliveries", "show", "ffffffff"}, 1, `no delivery has an id that begins with "ffffffff"`},
		{[]string{"deliveries", "list", "--endpoint", "crm", "--state", "failed", "--format", "csv"}, 0, one.ID + ","},
		{[]string{"deliveries", "list", "--endpoint", "crm", "--state", "failed", "--last-attempt-from", "2020-01-01"},
			0, one.ID},
		{[]string{"deliveries", "list", "--stat", "failed"}, 1, "unknown flag --stat"},
		{[]string{"deliveries", "groups", "--replay", id}, 0, "503"},
		{[]string{"replay", "retry", "--last", "--dry-run"},
			0, "that failed in replay " + id + " would be sent to crm again"},
		{[]string{"replay", "show", id[:13]}, 0,
			"repeat    hooktape replay create --again " + id},
		{[]string{"replay", "create", "--again", id[:13], "--dry-run"}, 0, "would go to crm"},
		{[]string{"replay", "create", "--again", "last", "--mode", "all"}, 1, "add --yes"},
		{[]string{"replay", "create", "--again", id, "--source", "demo"}, 1, "--again has its own events"},
		{[]string{"replay", "create", "--source", "demo"}, 1, "--to is missing"},
		{[]string{"deliveries", "list", "--replay", id[:13], "--id", one.ID[:40], "--event", one.ID[:30]}, 0, one.ID},
		{[]string{"deliveries", "list", "--replay", "last", "--state", "failed"}, 0, one.ID},
		{[]string{"deliveries", "list", "--replay", "ffff"}, 1, "--replay: "},
		{[]string{"deliveries", "retry", "--last", "--dry-run"}, 0, "deliver"},
		{[]string{"deliveries", "groups"}, 0, "deliveries retry --group "},
		{[]string{"events", "list", "--id", one.ID[:30]}, 0, one.ID[:36]},
		{[]string{"replay", "set-rate", "--last", "x"}, 1, `invalid rate "x"`},
		{[]string{"replay", "set-rate", "last"}, 1, "the rate is missing"},
		{[]string{"views", "save", "Paid", "--step", "paid", "--since", "24h"}, 0, ""},
		{[]string{"views", "list"}, 0, "since=24h&step=paid"},
		{[]string{"views", "save", "Paid", "--verdict", "bad"}, 1, "invalid value"},
		{[]string{"views", "delete", "Unpaid"}, 1, "there is no saved view"},
		{[]string{"replay", "show", id[:13], "--last"}, 1, "give an id or --last, not both"},
		{[]string{"events", "show", ids[0][:8]}, 1, "more than one event has an id that begins with"},
		{[]string{"events", "show", "last", "--json"}, 0, `"id"`},
		{[]string{"replay", "create", "--source", "demo", "--to", "crm"}, 1, "add --yes"},
	} {
		here := i.try(step.args...)
		there := here
		if step.args[0] != "events" && step.args[1] != "show" { // the audit log has those
			there = over(step.args...)
		}
		if here != there || here.code != step.code || !strings.Contains(here.out+here.err, step.says) {
			t.Errorf("%v: %d, want %d and %q\n%s%s\n--- by the API: %d\n%s%s", step.args, here.code, step.code,
				step.says, here.out, here.err, there.code, there.out, there.err)
		}
	}
	if r := i.try("replay", "create", "--failed-at", "crm", "--to", "crm", "--json"); r.code != 0 ||
		!strings.Contains(r.out, `"state": "completed"`) {
		t.Errorf("replay of failed events: %d %s%s", r.code, r.out, r.err)
	}
	if n := target.count(); n != 30 {
		t.Errorf("the CRM got %d events, want 30", n)
	}
	if r := i.try("deliveries", "groups"); r.code != 0 || !strings.Contains(r.out, "503") || r.err != "" {
		t.Errorf("failures that are all resolved: %d %s%s", r.code, r.out, r.err)
	}

	// Ids from standard input, commands to a running replay, and a comparison.
	detached := i.resultOf(i.program(append(remote, "replay", "create", "--ids-file", "-", "--to", "v2", "--rate", "2",
		"--header", "X-Who: me", "--detach")...), strings.Join(ids[:20], "\n"))
	id = strings.TrimSpace(detached.out)
	if _, err := uuid.Parse(id); err != nil || detached.code != 0 {
		t.Fatalf("create --detach: %d %s%s", detached.code, detached.out, detached.err)
	}
	for _, step := range []struct {
		args []string
		says string
	}{
		{[]string{"replay", "pause", id}, "paused: 20 events: "},
		{[]string{"replay", "set-rate", id, "200"}, "at most 200 a second"},
		{[]string{"replay", "set-rate", "--last", "150"}, "at most 150 a second"},
		{[]string{"replay", "status", id}, "endpoint  v2"},
		{[]string{"replay", "resume", id}, ""},
		{[]string{"replay", "watch", id}, "completed: 20 events: 20 delivered"},
		{[]string{"replay", "diff", id, "--against", "crm"}, "the same             20"},
		{[]string{"endpoints", "pause", "v2"}, "v2 is paused"},
		{[]string{"endpoints", "resume", "v2"}, "v2 is active"},
	} {
		if r := over(step.args...); r.code != 0 || !strings.Contains(r.out, step.says) || r.err != "" {
			t.Errorf("%v: exit code %d, %s%s", step.args, r.code, r.out, r.err)
		}
	}

	// Ctrl-C leaves the replay running.
	following := i.program(append(remote, "replay", "create", "--source", "demo", "--mode", "all", "--yes", "--to",
		"v2", "--rate", "1")...)
	var out testutil.Log
	following.Stdout = &out
	if err := following.Start(); err != nil {
		t.Fatal(err)
	}
	i.eventually("a replay is followed", func() error {
		line := regexp.MustCompile(`^replay (\S+): `).FindStringSubmatch(out.String())
		if line == nil {
			return fmt.Errorf("the command has printed %q", out.String())
		}
		id = line[1]
		return nil
	})
	_ = following.Process.Signal(syscall.SIGINT)
	_ = following.Wait()
	if said := following.Stderr.(*bytes.Buffer).String(); following.ProcessState.ExitCode() != 130 ||
		!strings.Contains(said, "the replay goes on; follow it again by `hooktape replay watch "+id) {
		t.Errorf("after Ctrl-C: %d %s", following.ProcessState.ExitCode(), said)
	}
	if r := over("replay", "cancel", id); r.code != 0 || !strings.HasPrefix(r.out, "cancelled: 30 events: ") ||
		strings.Contains(r.out, "pending") {
		t.Errorf("cancel: %d %s%s", r.code, r.out, r.err)
	}
	if r := over("replay", "pause", id); r.code != 1 || r.err != "hooktape: the replay is cancelled already\n" {
		t.Errorf("pause of a finished replay: %d %s%s", r.code, r.out, r.err)
	}

	// Missing roles.
	rob := filepath.Join(t.TempDir(), "token")
	writeFile(t, rob, "the-token-of-rob-01234")
	if r := over("--api-token-file", rob, "replay", "create", "--source", "demo", "--to", "crm"); r.code != 1 ||
		!strings.Contains(r.err, `this needs the role replay; the token "rob" has the role read`) {
		t.Errorf("without the role: %d %s%s", r.code, r.out, r.err)
	}
	for _, secret := range []string{"the-token-of-boss", "the-token-of-rob", "the-key-of-crm"} {
		if strings.Contains(i.output.String(), secret) {
			t.Errorf("the log shows a secret:\n%s", i.output)
		}
	}
	var log []api.AuditEntry
	client, err := api.NewClient("http://"+i.api, "the-token-of-boss-0123")
	if err == nil {
		defer client.Close()
		log, err = client.AuditLog(context.Background(), 100)
	}
	if err != nil || len(log) != 17 || log[16].Action != "login-link.create" || log[15].Action != "event.view" ||
		log[14].Action != "event.download" || log[13].Action != "replay.create" || log[13].Who != "boss" {
		t.Errorf("the audit log has %d entries: %+v, %v", len(log), log, err)
	}
	i.stop()
}

func uuids(texts []string) (ids []uuid.UUID) {
	for _, text := range texts {
		ids = append(ids, uuid.MustParse(text))
	}
	return ids
}
