package api_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/replay"
	"hooktape/web/api"
)

// rejected returns rejected request number n as the drain stores it: without parsed fields.
func rejected(n int, verdict event.Verdict, body string, header ...string) event.Event {
	e := newEvent("shop", n)
	e.Verdict, e.Decoded = verdict, event.Decoded{Kind: event.KindUnknown}
	e.Body, e.BodySHA256 = []byte(body), sha256.Sum256([]byte(body))
	for i := 0; i < len(header); i += 2 {
		e.Headers = append(e.Headers, event.Header{Name: header[i], Value: header[i+1]})
	}
	return e
}

// lead is the body of a lead, leadLength its header.
const lead = `{"bothelp_user_id":47659,"name":"Анна Петрова","phone":"+79161234567","utm_source":"vk"}`

var leadLength = []string{"Content-Length", strconv.Itoa(len(lead))}

// TestAccept verifies that a lead that arrived with an old token can be accepted once, counts once, and is sent once.
func TestAccept(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx, boss := context.Background(), f.client(adminSecret)
	old := rejected(1, event.BadToken, lead, leadLength...)
	large := rejected(2, event.TooLarge, strings.Repeat("x", 64<<10), "Content-Length", "2202009")
	cut := rejected(3, event.UnknownSource, `{"name":"Ol`, "Content-Length", "99")
	chunked := rejected(4, event.BadSignature, lead)
	f.insert(old, large, cut, chunked, newEvent("shop", 5))

	list := func(query string) (all []api.Event) {
		t.Helper()
		var page api.EventPage
		f.get(readSecret, "/api/v1/events?"+query, &page)
		return page.Events
	}
	found := list("rejected=true")
	if got := idsOf(found); !slices.Equal(got, []uuid.UUID{chunked.ID, cut.ID, large.ID, old.ID}) {
		t.Fatalf("rejected events: %v", got)
	}
	for i, want := range []api.Rejection{{Reason: "the signature is wrong"},
		{Reason: "no source has this name", Obstacle: "only the start of its body is stored",
			Kept: "11 bytes of 99 bytes"},
		{Reason: "the body is too large", Obstacle: "only the start of its body is stored", Kept: "64 KiB of 2.1 MiB"},
		{Reason: "the token in the URL is wrong"}} {
		got := *found[i].Rejection
		got.Parsed = nil
		if got.Reason != want.Reason || got.Obstacle != want.Obstacle || got.Kept != want.Kept {
			t.Errorf("got the rejection %+v, want %+v", got, want)
		}
	}
	if r := found[3].Rejection; r.Parsed["name"] != "Анна Петрова" || r.Parsed["phone"] != "+79161234567" ||
		len(found[3].Decoded) != 0 {
		t.Errorf("parsed fields %v, stored fields %v", r.Parsed, found[3].Decoded)
	}

	refused := func(what, sentence string, err error) {
		t.Helper()
		if p, ok := errors.AsType[*api.Problem](err); !ok || !strings.Contains(p.Error()+p.Detail, sentence) {
			t.Errorf("%s: %v, want %q", what, err, sentence)
		}
	}
	_, err := f.client(replaySecret).Accept(ctx, []uuid.UUID{old.ID})
	refused("without the role", "role admin", err)
	_, err = boss.Accept(ctx, []uuid.UUID{old.ID, large.ID})
	refused("a part of a body", "only the start of its body is stored", err)
	_, err = boss.Accept(ctx, []uuid.UUID{uuid.New()})
	refused("nothing", "there is no event", err)
	if left := list("rejected=true"); len(left) != 4 {
		t.Fatalf("a refused request left %d of 4 rejected", len(left))
	}

	for _, want := range []api.AcceptedList{{Accepted: []uuid.UUID{old.ID}}, {Already: []uuid.UUID{old.ID}}} {
		done, err := boss.Accept(ctx, []uuid.UUID{old.ID})
		if err != nil || !slices.Equal(done.Accepted, want.Accepted) || !slices.Equal(done.Already, want.Already) {
			t.Fatalf("accepted as %+v, %v, want %+v", done, err, want)
		}
	}
	for query, want := range map[string][]uuid.UUID{"": {newEvent("", 5).ID, chunked.ID, cut.ID, large.ID, old.ID},
		"rejected=true": {chunked.ID, cut.ID, large.ID}, "verdict=accepted&utm_source=vk": {old.ID},
		"text=" + escape("петрова"): {old.ID, chunked.ID}, "verdict=bad_token": nil} {
		got := idsOf(list(query))
		if query == "" {
			want[0] = got[0] // id of the accepted event
		}
		slices.SortFunc(got, func(a, b uuid.UUID) int { return strings.Compare(a.String(), b.String()) })
		slices.SortFunc(want, func(a, b uuid.UUID) int { return strings.Compare(a.String(), b.String()) })
		if !slices.Equal(got, want) {
			t.Errorf("%q finds %v, want %v", query, got, want)
		}
	}
	e, err := boss.Event(ctx, old.ID)
	if err != nil || e.Verdict != event.Accepted || e.Decoded["name"] != "Анна Петрова" || e.Acceptance == nil ||
		e.Acceptance.By != "boss" || e.Acceptance.Was != event.BadToken || e.Rejection != nil {
		t.Errorf("accepted event: %+v, %v", e, err)
	}
	entries, err := boss.AuditLog(ctx, 100)
	entries = slices.DeleteFunc(entries, func(a api.AuditEntry) bool { return a.Action != "event.accept" })
	if err != nil || len(entries) != 1 || entries[0].Who != "boss" || entries[0].Target != old.ID.String() ||
		entries[0].Detail != `{"was":"bad_token"}` {
		t.Errorf("audit log: %+v, %v", entries, err)
	}
	r := f.create("shop", func(want *replay.Request) { want.Selection.IDs = []uuid.UUID{old.ID, cut.ID, chunked.ID} })
	if f.awaitState(r.ID, event.ReplayCompleted); r.Total != 1 || f.sent(old.ID) != 1 {
		t.Errorf("%d events were sent, the lead %d times", r.Total, f.sent(old.ID))
	}
}

// TestAcceptKnowsTheSource verifies that an accepted event has the source's configured name, and its kind.
func TestAcceptKnowsTheSource(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.options.Direct.SetHost(api.Host{Source: func(name string) (string, event.Kind) {
		return strings.ToLower(name), event.KindUserProfileViewed
	}})
	e := rejected(1, event.BadToken, `{"viewed":true}`)
	e.Source = "Shop"
	f.insert(e)
	boss := f.client(adminSecret)
	if _, err := boss.Accept(context.Background(), []uuid.UUID{e.ID}); err != nil {
		t.Fatal(err)
	}
	got, err := boss.Event(context.Background(), e.ID)
	if err != nil || got.Source != "shop" || got.Kind != event.KindUserProfileViewed {
		t.Errorf("the event has the source %q and the kind %s, %v", got.Source, got.Kind, err)
	}
}

// TestIncludeRejected verifies that with an admin's consent a replay sends complete rejected requests, which stay
// rejected. Accepted later, they are not sent to the same endpoint again.
func TestIncludeRejected(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx, boss := context.Background(), f.client(adminSecret)
	old := rejected(1, event.BadToken, lead, leadLength...)
	chunked := rejected(2, event.BadSignature, lead)
	f.insert(old, chunked, rejected(3, event.TooLarge, lead, leadLength...),
		rejected(4, event.Aborted, lead, leadLength...), rejected(5, event.Malformed, lead, leadLength...), rejected(6,
			event.UnknownSource, ""), rejected(7, event.UnknownSource, "{", "content-length", "2"),
		rejected(8, event.BadToken, "{"), newEvent("shop", 9))
	want := replay.Request{Selection: event.Selection{Sources: []string{"shop"}}, To: "crm",
		ReplayOptions: event.ReplayOptions{IncludeRejected: true}}
	_, err := f.client(replaySecret).Plan(ctx, want)
	if p, ok := errors.AsType[*api.Problem](err); !ok || p.Status != http.StatusForbidden ||
		!strings.Contains(p.Detail, "include_rejected needs the role admin") {
		t.Errorf("without the role: %v", err)
	}
	plan, err := boss.Plan(ctx, want)
	if err != nil || plan.Count != 3 || plan.Rejected != 2 {
		t.Errorf("the plan has %d events, %d rejected, %v", plan.Count, plan.Rejected, err)
	}
	r, err := boss.Create(ctx, "", want)
	if err != nil || r.Total != 3 {
		t.Fatalf("the replay has %d events, %v", r.Total, err)
	}
	if r = f.awaitState(r.ID, event.ReplayCompleted); !r.IncludeRejected || f.sent(old.ID) != 1 ||
		f.sent(chunked.ID) != 1 {
		t.Errorf("sent %d and %d times, want once each; IncludeRejected is %t", f.sent(old.ID), f.sent(chunked.ID),
			r.IncludeRejected)
	}
	if e, err := boss.Event(ctx, old.ID); err != nil || e.Verdict != event.BadToken {
		t.Errorf("a sent rejected request has verdict %s, %v", e.Verdict, err)
	}
	if _, err := boss.Accept(ctx, []uuid.UUID{old.ID, chunked.ID}); err != nil {
		t.Fatal(err)
	}
	want.IncludeRejected = false
	if plan, err = boss.Plan(ctx, want); err != nil || plan.Count != 0 || plan.Delivered != 3 {
		t.Errorf("accepted later: %d planned, %d delivered, %v", plan.Count, plan.Delivered, err)
	}
}

// TestAcceptChat verifies that of a repeated chat webhook with a wrong signature one is the original after they are
// accepted.
func TestAcceptChat(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const closed = `{"event":"conversation_closed","event_timestamp":1790000000,"bothelp_user_id":7}`
	first := rejected(1, event.BadSignature, closed)
	second := rejected(2, event.BadSignature, closed)
	f.insert(first, second)
	if _, err := f.client(adminSecret).Accept(context.Background(), []uuid.UUID{first.ID, second.ID}); err != nil {
		t.Fatal(err)
	}
	var page api.EventPage
	f.get(readSecret, "/api/v1/events?kind=conversation_closed&verdict=accepted", &page)
	if len(page.Events) != 2 || page.Events[1].DuplicateOf != uuid.Nil ||
		page.Events[0].DuplicateOf != first.ID {
		t.Errorf("got the events %+v", page.Events)
	}
}

// sent returns the number of requests about an event at the endpoint crm.
func (f *fixture) sent(id uuid.UUID) (n int) {
	for _, r := range f.receiver.requests() {
		if r.Header.Get("X-Hooktape-Event-Id") == id.String() {
			n++
		}
	}
	return n
}
