package api

import (
	"encoding/csv"
	"errors"
	"io"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
)

// TestHarmlessCell verifies that a value that a spreadsheet would evaluate becomes text, and that a phone number does
// not change.
func TestHarmlessCell(t *testing.T) {
	for cell, want := range map[string]string{"=1+1": "'=1+1", "@SUM(A1)": "'@SUM(A1)", "+79991234567": "+79991234567",
		"-5": "-5", "-1.5": "-1.5", "+7 (916) 123-45-67": "+7 (916) 123-45-67",
		"-1+cmd|' /C calc'!A0": "'-1+cmd|' /C calc'!A0", "\t=1": "'\t=1", "\r=1": "'\r=1", "＝1": "'＝1", "+1*2": "'+1*2",
		"Анна": "Анна", "": "", "+": "'+", "-": "'-", "+()": "'+()"} {
		if got := harmlessCell(cell); got != want {
			t.Errorf("cell %q became %q, want %q", cell, got, want)
		}
	}
}

// TestCSVIsText verifies that no cell contains invalid UTF-8.
func TestCSVIsText(t *testing.T) {
	var out strings.Builder
	columns, err := AllColumns().Choose([]string{"name", "query", "query_base64", "headers"})
	if err != nil {
		t.Fatal(err)
	}
	c := NewCSV(&out, columns)
	e := Event{Decoded: map[string]string{"name": "a\xff"}, Request: &EventRequest{}}
	e.Request.Query, e.Request.QueryBase64 = split([]byte("\xf1\xff"))
	if err := c.Write(&e); err != nil {
		t.Fatal(err)
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	if want := "name,query,query_base64,headers\na\uFFFD,,8f8=,null\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

// TestDecodedTexts verifies the text of each kind of known field, and that absent fields are absent.
func TestDecodedTexts(t *testing.T) {
	at, n := time.Date(2024, 9, 21, 20, 26, 40, 0, time.UTC), uint64(3)
	got := decodedTexts(&event.Decoded{Name: "Анна \"Аня\"", EventAt: &at, CreatedAt: &at, FirstContactAt: &at,
		LastContactAt: &at, ConversationsCount: &n})
	const when = "2024-09-21T20:26:40Z"
	if want := map[string]string{"name": "Анна \"Аня\"", "event_at": when, "created_at": when, "first_contact_at": when,
		"last_contact_at": when, "conversations_count": "3"}; !maps.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestDeliveryCSV: an answer that a spreadsheet would run is harmless, and what a delivery lacks is empty.
func TestDeliveryCSV(t *testing.T) {
	var out strings.Builder
	c := NewCSV(&out, DeliveryColumns())
	d := Delivery{ID: "x", Endpoint: "crm", State: "failed", Answer: "=HYPERLINK(\"http://evil\")",
		Error: "@SUM(1)\x00"}
	if err := errors.Join(c.Write(&d), c.Flush()); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(out.String())).ReadAll()
	if err != nil || len(rows) != 2 || len(rows[1]) != len(DeliveryColumns()) {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	row := map[string]string{}
	for i, name := range rows[0] {
		row[name] = rows[1][i]
	}
	if row["answer"] != "'"+d.Answer || row["error"] != "'"+d.Error || row["replay_id"] != "" ||
		row["status_code"] != "" || row["next_at"] != "" || row["waiting"] != "" {
		t.Errorf("the row is %q", row)
	}
}

// TestWholeRows verifies every cell of a delivery and of an entry of the audit log.
func TestWholeRows(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 600_000_000, time.UTC)
	id := uuid.MustParse("01a204fa-08f1-752c-94ce-88b3d851a0db")
	rows := func(write func(io.Writer) error) string {
		t.Helper()
		var out strings.Builder
		if err := write(&out); err != nil {
			t.Fatal(err)
		}
		_, rows, _ := strings.Cut(out.String(), "\n")
		return rows
	}
	deliveries := []Delivery{{ID: id.String() + "-1a2b3c4d", EventID: id, EventReceivedAt: at, Endpoint: "crm",
		ReplayID: id, Subscriber: "47659", State: event.Retrying, AttemptCount: 2, FirstAttemptAt: at.Add(time.Second),
		LastAttemptAt: at.Add(2 * time.Second), Outcome: event.OutcomeStatus, StatusCode: 503, Answer: "busy, 5 < 6",
		Error: "answered 503", NextAt: at.Add(time.Minute), UpdatedAt: at.Add(3 * time.Second),
		Waiting: &Waiting{Code: event.WaitsForRetry, Text: "waits for the next attempt"}},
		{ID: id.String() + "-00000000", EventID: id, EventReceivedAt: at, Endpoint: "crm", State: event.Pending,
			UpdatedAt: at}}
	got := rows(func(w io.Writer) error { return WriteRows(NewCSV(w, DeliveryColumns()), deliveries) })
	if want := id.String() + "-1a2b3c4d," + id.String() + ",2026-01-02T03:04:05.6Z,crm," + id.String() + ",47659," +
		"retrying,2,2026-01-02T03:04:06.6Z,2026-01-02T03:04:07.6Z,bad_status,503,\"busy, 5 < 6\",answered 503," +
		"2026-01-02T03:05:05.6Z,waits for the next attempt,2026-01-02T03:04:08.6Z\n" +
		id.String() + "-00000000," + id.String() + ",2026-01-02T03:04:05.6Z,crm,,,pending,0,,,,,,,,,2026-01-02T03:04:05.6Z\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	entries := []AuditEntry{{At: at, Who: "boss", Action: "replay.create", Target: id.String(), Detail: `{"to":"crm"}`,
		RemoteIP: "192.0.2.1"}, {At: at, Who: "cli:=root", Action: "event.view"}}
	got = rows(func(w io.Writer) error { return WriteRows(NewCSV(w, AuditColumns()), entries) })
	if want := "2026-01-02T03:04:05.6Z,boss,replay.create," + id.String() + ",\"{\"\"to\"\":\"\"crm\"\"}\",192.0.2.1\n" +
		"2026-01-02T03:04:05.6Z,cli:=root,event.view,,,\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
