package simulate_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"hooktape/internal/bothelp"
	"hooktape/internal/event"
	"hooktape/internal/simulate"
)

// golden is the hash of the default account. When it changes, a backfill continues existing histories with a different
// account.
const golden = "595abea1017e6bc9"

func TestSameAccountSameBytes(t *testing.T) {
	a := account(t, nil)
	if got := hashOf(t, a); got != golden {
		t.Errorf("the account's hash is %s, want %s", got, golden)
	}
	before := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(before)
	if hashOf(t, account(t, nil)) != hashOf(t, a) {
		t.Error("the account depends on the number of processors")
	}
	other := account(t, func(o *simulate.Options) { o.Seed++ })
	if asJSON(t, whole(a, time.Hour)) == asJSON(t, whole(other, time.Hour)) {
		t.Error("two seeds have the same account")
	}
}

func hashOf(t *testing.T, a *simulate.Account) string {
	t.Helper()
	h := sha256.New()
	for batch := range a.Batches(7_000) {
		for _, e := range a.Events(batch) {
			write(t, h, &e)
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

func write(t *testing.T, h hash.Hash, e *event.Event) {
	record, err := e.Received.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	h.Write(record)
	fmt.Fprint(h, e.DuplicateOf, e.Kind, e.DecodeError, e.BothelpUserID)
}

// TestStream verifies the properties of every request, and that one generated alone equals the same one of a batch.
func TestStream(t *testing.T) {
	a := account(t, nil)
	var last time.Time
	ids := map[string]bool{}
	lastOf := map[string]time.Time{}
	for batch := range a.Batches(1000) {
		for i, e := range a.Events(batch) {
			if e.ReceivedAt.Before(last) || e.ReceivedAt.Before(a.From) || !e.ReceivedAt.Before(a.Until) {
				t.Fatalf("%s after %s", e.ReceivedAt, last)
			}
			last = e.ReceivedAt
			ids[e.ID.String()] = true
			if e.ID.Version() != 7 || e.TraceID == [16]byte{} || e.SpanID == [8]byte{} ||
				e.BodySHA256 != sha256.Sum256(e.Body) {
				t.Fatalf("ids of %+v", e.Received)
			}
			if previous, ok := lastOf[e.BothelpUserID]; ok && e.BothelpUserID != "" &&
				e.ReceivedAt.Sub(previous) < 2*time.Second {
				t.Fatalf("two visits of subscriber %s in %s", e.BothelpUserID, e.ReceivedAt.Sub(previous))
			}
			lastOf[e.BothelpUserID] = e.ReceivedAt
			if e.Source == "chat" &&
				e.Verdict == event.Accepted != bothelp.VerifySignature(header(e, bothelp.SignatureHeader), e.Body,
					a.ChatSigningToken) {
				t.Fatalf("%s chat webhook: signature %q", e.Verdict, header(e, bothelp.SignatureHeader))
			}
			if i == 0 {
				alone := a.Request(batch[0])
				if alone.ID != e.ID || string(alone.Body) != string(e.Body) || alone.DuplicateOf != e.DuplicateOf {
					t.Fatalf("alone %+v\nin its batch %+v", alone, e)
				}
			}
		}
	}
	if n := len(ids); uint64(n) != whole(a, time.Hour).All.Events {
		t.Errorf("%d different ids", n)
	}
}

// whole returns the truth about the whole history.
func whole(a *simulate.Account, within time.Duration) simulate.Report {
	return a.Truth().Between(simulate.Question{From: a.From, To: a.Until, Within: within})
}

func header(e event.Event, name string) string {
	i := slices.IndexFunc(e.Headers, func(h event.Header) bool { return h.Name == name })
	if i < 0 {
		return ""
	}
	return e.Headers[i].Value
}

// TestRealistic verifies that the account has what a person expects to see in the dashboards.
func TestRealistic(t *testing.T) {
	a := account(t, func(o *simulate.Options) { o.Subscribers, o.From = 30_000, until.Add(-60*24*time.Hour) })
	r := whole(a, 30*24*time.Hour)
	rate := func(s *simulate.Source, source string) float64 {
		var leads, conversions uint64
		for _, g := range s.FirstTouch {
			if g.UTMSource == source {
				leads, conversions = leads+g.Leads, conversions+g.Conversions
			}
		}
		return float64(conversions) / float64(max(leads, 1))
	}
	c := r.Sources["course"]
	if telegram, vk := rate(c, "telegram_ads"), rate(c, "vk"); telegram < 2.3*vk || telegram > 5*vk || vk == 0 {
		t.Errorf("telegram_ads converts %.3f, vk %.3f", telegram, vk)
	}
	for k := 1; k < len(c.Funnel.Reached); k++ {
		if part := float64(c.Funnel.Reached[k]) / float64(c.Funnel.Reached[k-1]); part < 0.25 || part > 0.95 {
			t.Errorf("a share of %.2f reaches level %d: %v", part, k+1, c.Funnel.Reached)
		}
	}
	if paid := float64(c.Funnel.Conversions) / float64(c.Funnel.Leads); paid < 0.03 || paid > 0.2 {
		t.Errorf("a share of %.3f of the leads pays", paid)
	}
	if each := float64(r.All.Events) / 30_000; each < 5 || each > 12 {
		t.Errorf("%.1f requests for each subscriber", each)
	}
	for _, channel := range []string{"telegram", "vk", "whatsapp", "instagram", "facebook", "viber"} {
		if c.Channels[channel] == nil || c.Channels[channel].Conversions == 0 {
			t.Errorf("no subscriber of %s pays", channel)
		}
	}
	for _, column := range []string{"utm_source", "utm_medium", "utm_campaign"} {
		if len(c.Spellings[column]) == 0 {
			t.Errorf("no spelling variants in %s", column)
		}
	}
	for _, verdict := range []event.Verdict{event.BadToken, event.UnknownSource, event.MethodNotAllowed,
		event.BadSignature} {
		if r.All.Verdicts[string(verdict)] == 0 {
			t.Errorf("no request with verdict %s", verdict)
		}
	}
	hours := map[int]int{}
	for v := range a.Visits() {
		hours[v.At().In(simulate.Zone).Hour()]++
	}
	if hours[19] < 4*hours[4] || hours[4] == 0 {
		t.Errorf("requests by hour: %v", hours)
	}
}

// TestLive verifies that live traffic has the requested rate from the beginning.
func TestLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(24 * time.Hour) // past the beginning of the year 2000
		now := time.Now()
		a, err := simulate.New(simulate.LiveOptions(simulate.Options{Seed: 1, Speed: 60,
			Sources: simulate.DefaultSources}, now, 5, 10*time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		count, steps := 0, map[string]int{}
		for v := range a.Live(t.Context(), now) {
			if late := time.Since(v.At()); late < 0 || late > time.Millisecond {
				t.Fatalf("request is %s late", late)
			}
			steps[a.Request(v).Step]++
			count++
		}
		if count < 10*60*5*7/10 || count > 10*60*5*13/10 || time.Since(now) > 10*time.Minute {
			t.Errorf("%d requests in %s", count, time.Since(now))
		}
		if steps["paid"] == 0 || steps["оплата"] == 0 {
			t.Errorf("steps: %v", steps)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		b, err := simulate.New(simulate.LiveOptions(simulate.Options{Seed: 1, Speed: 1,
			Sources: simulate.DefaultSources}, time.Now(), 5, 0))
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		for range b.Live(ctx, begun) {
		}
		if lasted := time.Since(begun); lasted != time.Second {
			t.Errorf("live traffic continues for %s after a second", lasted)
		}
	})
}

func TestOptions(t *testing.T) {
	for name, change := range map[string]func(*simulate.Options){
		"backwards":      func(o *simulate.Options) { o.From = o.Until },
		"antique":        func(o *simulate.Options) { o.From, o.Until = time.Unix(0, 0), time.Unix(86400, 0) },
		"nobody":         func(o *simulate.Options) { o.Subscribers = 0 },
		"no speed":       func(o *simulate.Options) { o.Speed = 0 },
		"no chat source": func(o *simulate.Options) { o.Sources.Chat = "" },
	} {
		o := simulate.DefaultOptions(until, 30)
		change(&o)
		if _, err := simulate.New(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
