package ingest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"hooktape/ingest"
	"hooktape/internal/bothelp"
	"hooktape/internal/event"
	"hooktape/internal/spool"
	"hooktape/internal/store"
	"hooktape/internal/testutil"
	"hooktape/internal/testutil/enginetest"
	"hooktape/internal/testutil/storetest"
)

// pipe is a spool with a drain into a real database.
type pipe struct {
	t     *testing.T
	db    *store.Store
	conn  driver.Conn // for queries that the store does not offer
	spool *spool.Spool
	drain *spool.Drain
	sink  *ingest.Sink
	log   *testutil.Log
}

var ctx = context.Background()

// sourceKind gives the source "viewer" the kind of profile views, whatever its bodies contain.
func sourceKind(source string) event.Kind {
	if source == "viewer" {
		return event.KindUserProfileViewed
	}
	return ""
}

// newPipe returns a pipe into a database with all tables.
func newPipe(t *testing.T, dsn string, limits spool.Limits) *pipe {
	t.Helper()
	p := &pipe{t: t, log: &testutil.Log{}}
	p.connect(dsn)
	o := spool.DefaultOptions()
	o.MinFree, o.Logger = 0, slog.New(slog.DiscardHandler)
	var err error
	if p.spool, err = spool.Open(t.TempDir(), o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.spool.Close() })
	logger := slog.New(slog.NewTextHandler(p.log, nil))
	p.sink = ingest.NewSink(p.db, sourceKind, logger)
	p.drain = spool.NewDrain(p.spool, p.sink, limits, logger)
	return p
}

func (p *pipe) connect(dsn string) {
	p.t.Helper()
	db, err := store.Open(dsn)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { db.Close() })
	p.db, p.conn = db, enginetest.Connect(p.t, dsn)
}

var quick = spool.Limits{Records: 1000, Bytes: 8 << 20, Age: 50 * time.Millisecond}

// run drains until the test ends.
func (p *pipe) run() {
	p.t.Helper()
	running, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- p.drain.Run(running) }()
	p.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			p.t.Errorf("drain: %v", err)
		}
	})
}

func (p *pipe) flush() {
	p.t.Helper()
	soon, cancel := context.WithTimeout(ctx, testutil.Patience)
	defer cancel()
	if err := p.drain.Flush(soon); err != nil {
		p.t.Fatalf("flush: %v, failing: %v", err, p.drain.Failing())
	}
}

func (p *pipe) append(records ...event.Received) {
	p.t.Helper()
	for _, r := range records {
		data, err := r.Marshal()
		if err != nil {
			p.t.Fatal(err)
		}
		if err := p.spool.Append(ctx, data); err != nil {
			p.t.Fatal(err)
		}
	}
}

// text returns the only value of a result as text.
func (p *pipe) text(query string) (value string) {
	p.t.Helper()
	if err := p.conn.QueryRow(ctx, query).Scan(&value); err != nil {
		p.t.Fatalf("%s: %v", query, err)
	}
	return value
}

func (p *pipe) event(id uuid.UUID) *event.Event {
	p.t.Helper()
	e, err := p.db.Event(ctx, id)
	if err != nil {
		p.t.Fatal(err)
	}
	return e
}

func (p *pipe) wantRows(table, want string) {
	p.t.Helper()
	if got := p.text("SELECT toString(count()) FROM " + table); got != want {
		p.t.Errorf("%s rows in %s, want %s", got, table, want)
	}
}

// receivedAt returns an accepted request to a source.
func receivedAt(at time.Time, source, body string) event.Received {
	id := uuid.Must(uuid.NewV7())
	ms := at.UnixMilli()
	for i := range 6 {
		id[i] = byte(ms >> (8 * (5 - i)))
	}
	return event.Received{ID: id, ReceivedAt: at.UTC().Truncate(time.Microsecond), Source: source,
		Verdict: event.Accepted, Method: "POST", Path: "/hooks/" + source + "/***",
		RemoteIP: netip.MustParseAddr("192.0.2.1"), Body: []byte(body), BodySHA256: sha256.Sum256([]byte(body)),
		TraceID: [16]byte{1}, SpanID: [8]byte{2}}
}

func received(source, body string) event.Received { return receivedAt(time.Now(), source, body) }

// TestColumns verifies the value of each column for the fixtures.
func TestColumns(t *testing.T) {
	t.Parallel()
	p := newPipe(t, storetest.DSN(t), quick)
	p.run()
	at := time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)
	const decoded = `kind, bothelp_user_id, messenger_user_id, messenger_username, cuid, ref, name, first_name, last_name, email, phone, profile_link, channel,
		conversations_count, created_at, first_contact_at, last_contact_at, utm_source, utm_medium, utm_campaign, utm_content, utm_term, mapSort(fields), event_at, decode_error, duplicate_of`
	const none = "00000000-0000-0000-0000-000000000000"
	for name, want := range map[string][]string{
		"flow": {"flow", "47659", "1234567890", "", "1et0.301", "", "John Wick", "John", "Wick", "john@gmail.com",
			"+14123456789", "https://fb.com/1941325716136721", "facebook", "10", "2017-07-13 12:08:31.000",
			"2017-07-13 11:08:31.000", "2017-07-13 11:08:31.000", "VK", "social_cpc", "messenger", "123", "",
			"{'age':'21','position':'CEO at Pinapple'}", "2026-01-02 03:04:05.678901", "", none},
		"flow-telegram-cyrillic": {"flow", "90210", "784512369", "anna_p", "2ab1.77", "c1", "Анна Петрова", "Анна",
			"Петрова", "", "+79001234567", "https://t.me/anna_p", "telegram", "2", "2024-09-21 17:33:20.000",
			"2024-09-21 17:33:21.000", "2024-09-21 20:20:01.000", "telegram_ads", "cpc", "осень-2024", "", "",
			"{'Доп данные':'оплатила','Подписка':'1'}", "2026-01-02 03:04:05.678901", "", none},
		"chat-conversation-closed": {"conversation_closed", "90210", "784512369", "", "", "", "Анна Петрова", "", "",
			"", "", "", "",
			`\N`, `\N`, `\N`, `\N`, "", "", "", "", "", "{'conversation.id':'c-551'}", "2024-09-21 20:40:34.000000", "",
			none},
	} {
		r := receivedAt(at, "demo", fixture(t, name))
		r.Step = "шаг"
		r.Query = "a=\xff"
		r.Headers = []event.Header{{Name: "X-A", Value: "1"}, {Name: "X-A", Value: "2"}}
		p.append(r)
		p.flush()
		row := func(columns string) string {
			return strings.TrimSuffix(p.text("SELECT formatRow('TSV', "+columns+") FROM events WHERE id = '"+
				r.ID.String()+"'"), "\n")
		}
		if got := row(decoded); got != strings.Join(want, "\t") {
			t.Errorf("%s:\n got %s\nwant %s", name, got, strings.Join(want, "\t"))
		}
		wantRaw := strings.Join([]string{r.ID.String(), "2026-01-02 03:04:05.678901", "demo", "шаг", "accepted", "POST",
			"/hooks/demo/***", "a=\xff", "192.0.2.1", "[('X-A','1'),('X-A','2')]",
			strings.ToUpper(hex.EncodeToString(r.Body)), hex.EncodeToString(r.BodySHA256[:]), "01" + strings.Repeat("0",
				30), "02" + strings.Repeat("0", 14)}, "\t")
		if got := row("id, received_at, source, step, verdict, method, path, query, remote_ip, headers, hex(body), " +
			"body_sha256, trace_id, span_id"); got != wantRaw {
			t.Errorf("%s:\n got %s\nwant %s", name, got, wantRaw)
		}
	}
}

// TestHostileBodiesAreStored verifies that every body is stored in ClickHouse byte for byte, with the fields that could
// be parsed.
func TestHostileBodiesAreStored(t *testing.T) {
	t.Parallel()
	p := newPipe(t, storetest.DSN(t), quick)
	p.run()
	sent := map[string]event.Received{}
	for name, body := range hostileBodies() {
		r := received("demo", body)
		if name == "gzip" {
			r.Headers = []event.Header{{Name: "Content-Encoding", Value: "gzip"}}
		}
		sent[name] = r
		p.append(r)
	}
	p.flush()
	for name, r := range sent {
		e := p.event(r.ID)
		want := bothelp.Decode(&r)
		if want.Fields == nil {
			want.Fields = map[string]string{}
		}
		if want.EventAt != nil && want.EventAt.Equal(r.ReceivedAt) {
			want.EventAt = nil
		}
		if !bytes.Equal(e.Body, r.Body) || e.BodySHA256 != r.BodySHA256 || !reflect.DeepEqual(e.Decoded, want) {
			t.Errorf("%s: %q\n got %+v\nwant %+v", name, e.Body, e.Decoded, want)
		}
	}
	for name, wantError := range map[string]bool{"no JSON": true, "half JSON": true, "empty": true,
		"large number": false, "nested": false, "gzip": false, "BOM": false} {
		if e := p.event(sent[name].ID); (e.DecodeError != "") != wantError {
			t.Errorf("%s: decode_error %q", name, e.DecodeError)
		}
	}
	if e := p.event(sent["gzip"].ID); e.BothelpUserID != "7" {
		t.Errorf("gzip: bothelp_user_id %q", e.BothelpUserID)
	}
	p.wantRows("quarantine", "0")
}

func gzipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(text))
	w.Close()
	return b.String()
}

// TestRejectedIsFoundByText verifies that a rejected request is found by its text in each encoding, and that a
// decompression bomb takes no more space than any other body.
func TestRejectedIsFoundByText(t *testing.T) {
	t.Parallel()
	p := newPipe(t, storetest.DSN(t), quick)
	p.run()
	for _, v := range event.Verdicts {
		r := received("demo", gzipped(`{"name":"Анна `+string(v)+`"}`))
		r.Verdict, r.Headers = v, []event.Header{{Name: "Content-Encoding", Value: "gzip"}}
		p.append(r)
	}
	bomb := received("demo", gzipped("Ольга"+strings.Repeat(" ", 10<<20)))
	bomb.Verdict = event.BadToken
	bomb.Headers = []event.Header{{Name: "Content-Encoding", Value: "gzip"}}
	old := received("demo", "name=%CE%EB%FC%E3%E0")
	old.Verdict = event.BadSignature
	p.append(bomb, old)
	p.flush()
	for text, want := range map[string]int{"анна": len(event.Verdicts), "ольга": 2} {
		found, err := p.db.ListEvents(ctx, event.Selection{Text: text}, store.Page{Limit: 100})
		if err != nil || len(found) != want {
			t.Errorf("%q finds %d events, want %d: %v", text, len(found), want, err)
		}
	}
	if got := p.text("SELECT toString((countIf(verdict = 'accepted' AND body_text != ''), max(length(body_text)))) " +
		"FROM events"); got != "(0,65536)" {
		t.Errorf("number of accepted events with a text, and length of the longest text: %s", got)
	}
}

// weighed records the number of bytes of readable text in each insert.
type weighed struct {
	ingest.EventStore
	most, all int
}

func (w *weighed) InsertEvents(ctx context.Context, token string, events []event.Event) error {
	n := 0
	for i := range events {
		n += len(events[i].BodyText)
	}
	w.most, w.all = max(w.most, n), w.all+n
	return w.EventStore.InsertEvents(ctx, token, events)
}

// TestBatchOfBombs verifies that a batch of small bodies with large decompressed texts is stored in parts, so that it
// cannot fill the memory, and that nothing is quarantined.
func TestBatchOfBombs(t *testing.T) {
	t.Parallel()
	const bombs, text = 600, 64 << 10
	p := newPipe(t, storetest.DSN(t), quick)
	w := &weighed{EventStore: p.db}
	p.drain = spool.NewDrain(p.spool, ingest.NewSink(w, sourceKind, slog.New(slog.DiscardHandler)), quick,
		slog.New(slog.DiscardHandler))
	body := gzipped("Ольга" + strings.Repeat(" ", 2*text))
	var sent []event.Received
	for range bombs {
		r := received("demo", body)
		r.Verdict = event.BadToken
		r.Headers = []event.Header{{Name: "Content-Encoding", Value: "gzip"}}
		sent = append(sent, r)
	}
	p.append(sent...)
	p.run()
	p.flush()
	if got := p.text("SELECT toString((count(), (SELECT count() FROM quarantine))) FROM events"); got != fmt.Sprintf("(%d,0)", bombs) {
		t.Errorf("number of stored and quarantined events: %s", got)
	}
	if w.most > 32<<20 || w.all != bombs*text {
		t.Errorf("inserts have up to %d bytes of text, %d in total, want %d", w.most, w.all, bombs*text)
	}
}

// TestOnlyAcceptedIsDecoded verifies that rejected requests are stored without parsed fields.
func TestOnlyAcceptedIsDecoded(t *testing.T) {
	t.Parallel()
	p := newPipe(t, storetest.DSN(t), quick)
	p.run()
	var sent []event.Received
	for _, v := range event.Verdicts {
		r := received("viewer", fixture(t, "chat-conversation-closed"))
		r.Verdict = v
		sent = append(sent, r)
	}
	viewed := received("viewer", "no JSON")
	flow := received("viewer", fixture(t, "flow"))
	p.append(append(sent, viewed, flow)...)
	p.flush()
	for _, r := range sent[1:] {
		e := p.event(r.ID)
		if want := (event.Decoded{Kind: event.KindUnknown, Fields: map[string]string{}}); !reflect.DeepEqual(e.Decoded,
			want) || e.DuplicateOf != uuid.Nil || e.Verdict != r.Verdict || !bytes.Equal(e.Body, r.Body) {
			t.Errorf("%s: %+v", r.Verdict, e)
		}
	}
	for id, want := range map[uuid.UUID]event.Kind{sent[0].ID: event.KindConversationClosed,
		viewed.ID: event.KindUserProfileViewed, flow.ID: event.KindFlow} {
		if got := p.event(id).Kind; got != want {
			t.Errorf("kind %s, want %s", got, want)
		}
	}
}

// TestRepeatedWebhooks verifies that BotHelp's repetitions of a chat webhook refer to the original, and that no other
// events do.
func TestRepeatedWebhooks(t *testing.T) {
	t.Parallel()
	p := newPipe(t, storetest.DSN(t), quick)
	// The test creates the batches, because the drain of a busy machine may store two records one by one.
	stored := uint64(0)
	store := func(list ...event.Received) {
		t.Helper()
		batch := batchOf(t, false, list...)
		batch.First, batch.Last = batch.First+stored, batch.Last+stored
		stored = batch.Last
		if _, err := p.sink.Store(ctx, batch); err != nil {
			t.Fatal(err)
		}
	}
	chat, flow := fixture(t, "chat-conversation-closed"), fixture(t, "flow")
	now := time.Now()
	ago := func(d time.Duration, source, body string) event.Received {
		return receivedAt(now.Add(-d), source, body)
	}
	first := ago(20*time.Hour, "demo", chat)
	otherSource := ago(20*time.Hour, "other", chat)
	otherBody := ago(20*time.Hour, "demo", chat+" ")
	old := ago(24*time.Hour+time.Second, "late", chat)
	flow1 := ago(time.Hour, "demo", flow)
	store(first, otherSource, otherBody, old, flow1)
	again := ago(0, "demo", chat)
	inBatch1 := ago(2*time.Minute, "batch", chat)
	inBatch2 := ago(time.Minute, "batch", chat)
	late, flow2 := ago(0, "late", chat), ago(0, "demo", flow)
	rejected := ago(0, "demo", chat)
	rejected.Verdict = event.BadSignature
	store(again, inBatch2, inBatch1, late, flow2, rejected)
	for i, c := range []struct{ id, want uuid.UUID }{{first.ID, uuid.Nil}, {otherSource.ID, uuid.Nil},
		{otherBody.ID, uuid.Nil}, {old.ID, uuid.Nil}, {flow1.ID, uuid.Nil}, {again.ID, first.ID},
		{inBatch1.ID, uuid.Nil}, {inBatch2.ID, inBatch1.ID}, {late.ID, uuid.Nil}, {flow2.ID, uuid.Nil},
		{rejected.ID, uuid.Nil}} {
		if got := p.event(c.id).DuplicateOf; got != c.want {
			t.Errorf("number %d is a duplicate of %s, want %s", i, got, c.want)
		}
	}
}

// TestRefusedEvent verifies that an event that ClickHouse refuses is stored in the table quarantine with its bytes,
// once, and that all others are stored.
func TestRefusedEvent(t *testing.T) {
	t.Parallel()
	p := newPipe(t, storetest.DSN(t), quick)
	if err := p.conn.Exec(ctx, "ALTER TABLE events ADD CONSTRAINT picky CHECK name != 'refuse me'"); err != nil {
		t.Fatal(err)
	}
	var good []uuid.UUID
	var bad []event.Received
	for n := range 40 {
		r := received("demo", fmt.Sprintf(`{"bothelp_user_id":%d,"name":"fine"}`, n))
		if n == 3 || n == 17 || n == 18 {
			r = received("demo", fmt.Sprintf(`{"bothelp_user_id":%d,"name":"refuse me"}`, n))
			bad = append(bad, r)
		} else {
			good = append(good, r.ID)
		}
		p.append(r)
	}
	garbage := [][]byte{[]byte("\xff no record"), {}, {0xa0}}
	for _, g := range garbage[:2] {
		if err := p.spool.Append(ctx, g); err != nil {
			t.Fatal(err)
		}
	}
	last := received("demo", `{"name":"after it"}`)
	p.append(last)
	p.run()
	p.flush()
	p.wantRows("events", "38")
	if stored, err := p.db.StoredEvents(ctx, append(good, last.ID)); err != nil || len(stored) != 38 {
		t.Errorf("%d stored, %v", len(stored), err)
	}
	p.wantRows("quarantine", "5")
	for _, r := range bad {
		record, _ := r.Marshal()
		got := p.text(fmt.Sprintf("SELECT formatRow('TSV', received_at, source, position(error, 'picky') > 0, "+
			"hex(record)) FROM quarantine WHERE id = '%s'", r.ID))
		want := fmt.Sprintf("%s\tdemo\ttrue\t%X\n", r.ReceivedAt.Format("2006-01-02 15:04:05.000000"), record)
		if got != want && got != strings.Replace(want, "true", "1", 1) {
			t.Errorf("quarantine has\n%s, want\n%s", got, want)
		}
	}
	if got := p.text("SELECT toString(groupArray(hex(record))) FROM quarantine WHERE id = " +
		"toUUID('00000000-0000-0000-0000-000000000000')"); !strings.Contains(got, fmt.Sprintf("%X", garbage[0])) {
		t.Errorf("quarantined garbage: %s", got)
	}
	if n := strings.Count(p.log.String(), "quarantine"); n != 5 {
		t.Errorf("%d log lines:\n%s", n, p.log)
	}
}

// batchOf creates a batch as a spool returns it.
func batchOf(t *testing.T, salvaged bool, list ...event.Received) spool.Batch {
	t.Helper()
	b := spool.Batch{First: 1, Last: uint64(len(list)), Salvaged: salvaged, Appended: time.Now()}
	for _, r := range list {
		data, err := r.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		b.Records = append(b.Records, data)
	}
	return b
}

// TestPossiblyStored verifies that records salvaged from damage that are already stored are recognized by their ids,
// whatever their token.
func TestPossiblyStored(t *testing.T) {
	t.Parallel()
	p := newPipe(t, storetest.DSN(t), quick)
	a := received("demo", "a")
	b := received("demo", "b")
	c := received("demo", "c")
	store := func(batch spool.Batch) {
		t.Helper()
		if _, err := p.sink.Store(ctx, batch); err != nil {
			t.Fatal(err)
		}
	}
	store(batchOf(t, false, a, b))
	salvaged := batchOf(t, true, b, c, a)
	salvaged.First, salvaged.Last = 11, 13
	store(salvaged)
	p.wantRows("events", "3")
	salvaged.First, salvaged.Last = 21, 23
	store(salvaged) // now all of them are recognized
	p.wantRows("events", "3")
	refused := batchOf(t, true, a)
	refused.Records = append(refused.Records, []byte("garbage"))
	if _, err := p.sink.Store(ctx, refused); !errors.Is(err, spool.ErrRefused) {
		t.Errorf("garbage among salvaged records: %v", err)
	}
}

// TestForwardedAttempts: outcomes are stored behind the events of their batch, each once, whether a batch is sent again
// or damage brings back the intent of an attempt whose outcome is stored.
func TestForwardedAttempts(t *testing.T) {
	t.Parallel()
	p := newPipe(t, storetest.DSN(t), quick)
	a, b := received("price", "a"), received("price", "b")
	outcome := func(e event.Received, how event.Outcome) *event.Attempt {
		return &event.Attempt{ID: event.ForwardID(e.ID, "backend"), EventID: e.ID, Endpoint: "backend", Number: 1,
			Kind: event.AttemptForward, StartedAt: e.ReceivedAt, Outcome: how, MissingKeys: []string{"price"},
			ResponseBytes: 7, Overhead: time.Millisecond}
	}
	number := uint64(0)
	batch := func(records ...event.Record) spool.Batch {
		t.Helper()
		made := spool.Batch{First: number + 1, Last: number + uint64(len(records)), Appended: time.Now()}
		number = made.Last
		for _, r := range records {
			data, err := r.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			made.Records = append(made.Records, data)
		}
		return made
	}
	store := func(batch spool.Batch) {
		t.Helper()
		if _, err := p.sink.Store(ctx, batch); err != nil {
			t.Fatal(err)
		}
	}
	first := batch(event.Record{Received: a}, event.Record{Received: b, Outcome: outcome(b, event.OutcomeNotSent)},
		event.Record{Outcome: outcome(a, event.OutcomeDelivered)})
	store(first)
	first.Repeated = true
	store(first)
	first.Appended = time.Now().Add(-time.Hour) // ClickHouse may have forgotten the token
	store(first)
	p.wantRows("events", "2")
	p.wantRows("attempts", "2")
	store(batch(event.Record{Outcome: outcome(a, event.OutcomeUnknown)}))
	p.wantRows("attempts", "2")
	c := received("price", "c")
	store(batch(event.Record{Received: c}, event.Record{Outcome: outcome(c, event.OutcomeStatus)},
		event.Record{Outcome: outcome(c, event.OutcomeUnknown)}))
	p.wantRows("events", "3")
	p.wantRows("attempts", "3")
	for e, how := range map[uuid.UUID]event.Outcome{a.ID: event.OutcomeDelivered, b.ID: event.OutcomeNotSent,
		c.ID: event.OutcomeStatus} {
		attempts, err := p.db.AttemptsOf(ctx, e)
		if err != nil || len(attempts) != 1 || attempts[0].Outcome != how || attempts[0].Kind != event.AttemptForward ||
			attempts[0].ResponseBytes != 7 || attempts[0].Overhead != time.Millisecond {
			t.Errorf("%+v, %v", attempts, err)
		}
	}
}

// TestRepeatedLongAfter verifies that a repeated batch is recognized by its events when ClickHouse may have forgotten
// its token.
func TestRepeatedLongAfter(t *testing.T) {
	t.Parallel()
	p := newPipe(t, storetest.DSN(t), quick)
	batch := batchOf(t, false, received("demo", "a"), received("demo", "b"))
	for range 2 {
		if _, err := p.sink.Store(ctx, batch); err != nil {
			t.Fatal(err)
		}
		p.wantRows("events", "2")
		// a token that ClickHouse does not know, as if it had forgotten it
		batch.First = 11
		batch.Last = 12
		batch.Repeated, batch.Appended = true, time.Now().Add(-time.Hour)
	}
}

// TestClickHouseAway verifies that requests received while ClickHouse is down are stored once when it is back, by the
// drain alone.
func TestClickHouseAway(t *testing.T) {
	t.Parallel()
	engine := enginetest.Start(t)
	storetest.Migrate(t, engine.DSN("hooktape"))
	p := newPipe(t, engine.DSN("hooktape"), spool.Limits{Records: 20, Bytes: 1 << 20, Age: 20 * time.Millisecond})
	p.run()
	var ids []uuid.UUID
	add := func(n int) {
		for range n {
			r := received("demo", fmt.Sprintf(`{"bothelp_user_id":%d}`, len(ids)))
			ids = append(ids, r.ID)
			p.append(r)
		}
	}
	add(100)
	testutil.Eventually(t, func() error {
		if n := p.spool.Stat().Acked; n < 40 {
			return fmt.Errorf("%d stored", n)
		}
		return nil
	})
	engine.Kill()
	add(100)
	testutil.Eventually(t, func() error {
		if p.drain.Failing() == nil {
			return errors.New("the drain reports no failure")
		}
		return nil
	})
	if n := strings.Count(p.log.String(), "\n"); n != 1 {
		t.Errorf("%d log lines about one outage:\n%s", n, p.log)
	}
	engine.Restart()
	add(50)
	p.flush()
	if err := p.drain.Failing(); err != nil {
		t.Errorf("ClickHouse is back, but the drain reports %v", err)
	}
	p.wantRows("events", "250")
	if stored, err := p.db.StoredEvents(ctx, ids); err != nil || len(stored) != len(ids) {
		t.Errorf("%d of %d stored, %v", len(stored), len(ids), err)
	}
}

// TestSameBatchAgain verifies that a batch whose acknowledgement was lost is inserted again and stored once, also
// across a kill of ClickHouse.
func TestSameBatchAgain(t *testing.T) {
	t.Parallel()
	engine := enginetest.Start(t)
	storetest.Migrate(t, engine.DSN("hooktape"))
	p := newPipe(t, engine.DSN("hooktape"), quick)
	chat := fixture(t, "chat-conversation-closed")
	now := time.Now()
	batch := batchOf(t, false, received("demo", "a"), receivedAt(now, "demo", chat),
		receivedAt(now.Add(time.Second), "demo", chat))
	duplicates := func() string {
		return p.text("SELECT toString(arraySort(groupArray((id, duplicate_of)))) FROM events")
	}
	var first string
	for round := range 3 {
		if round == 2 {
			engine.Kill()
			engine.Restart()
			p.connect(engine.DSN("hooktape"))
			p.sink = ingest.NewSink(p.db, sourceKind, slog.New(slog.DiscardHandler))
		}
		if _, err := p.sink.Store(ctx, batch); err != nil {
			t.Fatal(err)
		}
		p.wantRows("events", "3")
		if first = max(first, duplicates()); duplicates() != first {
			t.Errorf("round %d: %s, before %s", round, duplicates(), first)
		}
	}
}

// TestPositions verifies that the positions of a spool's events grow with their numbers, whatever the clock, and do not
// depend on how the drain forms batches, also if the process dies before or after an ack.
func TestPositions(t *testing.T) {
	t.Parallel()
	p := newPipe(t, storetest.DSN(t), quick)
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := []time.Duration{0, time.Second, time.Second, 3 * time.Second, 2 * time.Second, -time.Hour,
		-time.Hour + time.Second, 4 * time.Second, 4 * time.Second}
	const want = "[0,1000000,1000001,3000000,3000001,3000002,3000003,4000000,4000001]" // microseconds after the start
	for _, records := range []int{1, 2, 3, 100} {
		dir, options := t.TempDir(), spool.DefaultOptions()
		options.MinFree, options.Logger = 0, slog.New(slog.DiscardHandler)
		open := func() *spool.Spool {
			t.Helper()
			s, err := spool.Open(dir, options)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		s := open()
		for _, after := range at {
			r := receivedAt(begin.Add(after), "demo", "a")
			data, err := r.Marshal()
			if err == nil {
				err = s.Append(ctx, data)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		for s.Stat().Records > 0 {
			var batch spool.Batch
			for range 2 {
				s.Close()
				s = open()
				var err error
				if batch, err = s.Next(ctx, spool.Limits{Records: records, Bytes: 1 << 20,
					Age: time.Millisecond}); err != nil {
					t.Fatal(err)
				}
				if batch.Mark, err = p.sink.Store(ctx, batch); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Ack(batch); err != nil {
				t.Fatal(err)
			}
		}
		id := s.ID()
		s.Close()
		got := p.text(fmt.Sprintf(`SELECT toString(groupArray(position)) FROM (SELECT toUnixTimestamp64Micro(received_at) + position_offset - %d AS position
			FROM events WHERE spool = '%s' ORDER BY spool_number)`, begin.UnixMicro(), id))
		if got != want {
			t.Errorf("in batches of %d: positions %s, want %s", records, got, want)
		}
	}
}

// TestInsertIsTraced verifies that an insert has its own span, which links to its requests and records a failure.
func TestInsertIsTraced(t *testing.T) {
	p := newPipe(t, storetest.DSN(t), quick)
	a, b := received("demo", "a"), received("demo", "b")
	b.TraceID, b.SpanID = [16]byte{7}, [8]byte{8}
	unkept := received("demo", "c")
	unkept.Untraced = true
	spans.Reset()
	batch := batchOf(t, false, unkept, a, b)
	if _, err := p.sink.Store(ctx, batch); err != nil {
		t.Fatal(err)
	}
	if err := p.conn.Exec(ctx, "DROP TABLE events SYNC"); err != nil {
		t.Fatal(err)
	}
	batch.First, batch.Last = 4, 6
	if _, err := p.sink.Store(ctx, batch); err == nil || errors.Is(err, spool.ErrRefused) {
		t.Errorf("without a table: %v", err)
	}
	list := spans.GetSpans()
	if len(list) != 2 || list[0].Status.Code.String() != "Unset" || list[1].Status.Code.String() != "Error" {
		t.Fatalf("spans %+v", list)
	}
	var links []string
	for _, link := range list[0].Links {
		links = append(links, link.SpanContext.TraceID().String()[:2]+link.SpanContext.SpanID().String()[:2])
	}
	if !slices.Equal(links, []string{"0102", "0708"}) {
		t.Errorf("links %v", links)
	}
	if text := spanText(list[0]); !strings.Contains(text, "hooktape.batch.rows 3") {
		t.Errorf("the span contains %s", text)
	}
}
