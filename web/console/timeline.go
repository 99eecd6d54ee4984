package console

import (
	"cmp"
	"html/template"
	"slices"
	"time"

	"github.com/google/uuid"

	"hooktape/web/api"
)

// timeline is what happened to an event: receiving and storing it, and each attempt to deliver it.
type timeline struct {
	ID    string // of the trace
	Lines []timelineLine
}

// timelineLine is a span or an attempt.
type timelineLine struct {
	At      moment
	After   template.HTML // the time since the event arrived
	Name    string
	Outcome *label // of an attempt, or of a span that failed
	Took    string // empty if unknown
}

// spanTexts are the spans that a page does not show by their names.
var spanTexts = map[string]string{"POST /hooks/{source}/{token}/{step}": "received and answered",
	"drain insert": "insert into ClickHouse"}

func (v *visit) timeline(e api.Event) (timeline, error) {
	t := timeline{ID: e.TraceID}
	spans, err := v.direct.Trace(v.Context(), e)
	if err != nil {
		return t, err
	}
	add := func(at time.Time, name string, outcome *label, took time.Duration) {
		line := timelineLine{At: v.at(at), Name: name, Outcome: outcome}
		if took > 0 {
			line.Took = span(took)
		}
		t.Lines = append(t.Lines, line)
	}
	for _, s := range spans {
		var outcome *label
		if s.Status == "Error" {
			outcome = &label{"error", "bad"}
		}
		add(s.Start, cmp.Or(spanTexts[s.Name], s.Name), outcome, s.Duration)
	}
	if len(spans) == 0 { // traces are sampled, and may be stored for a shorter time
		add(e.ReceivedAt, "received", nil, 0)
	}
	add(e.StoredAt, "stored in ClickHouse", nil, 0)
	for _, d := range e.Deliveries {
		for _, a := range d.Attempts {
			name := d.Endpoint + ", attempt " + number(int(a.Number))
			if d.ReplayID != uuid.Nil {
				name += " of a replay"
			}
			shown := v.attempt(a)
			add(a.StartedAt, name, new(shown.Result()), milliseconds(a.DurationMS))
		}
	}
	slices.SortStableFunc(t.Lines, func(a, b timelineLine) int { return a.At.Compare(b.At.Time) })
	begin := t.Lines[0].At
	for i := range t.Lines {
		at := t.Lines[i].At
		text := "0"
		if after := at.Sub(begin.Time); after > 0 {
			text = "+" + span(after)
		}
		t.Lines[i].After = timeElement(at, "after", text, at.Full())
	}
	return t, nil
}
