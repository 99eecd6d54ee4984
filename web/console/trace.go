package console

import (
	"time"

	"github.com/google/uuid"

	"hooktape/web/api"
)

// trace is the timeline of an event: the spans of receiving and storing it, and each attempt of its live deliveries.
// Replays are left out, because they may be a year later.
type trace struct {
	ID    string
	Lines []traceLine
	Total string
}

// traceLine is a line of the timeline. X and Width are its bar, of 1000.
type traceLine struct {
	Name, Detail, Tone string
	After, Took        string
	X, Width           float64
}

// tracePart is a span or an attempt.
type tracePart struct {
	name, tone, detail string
	at                 time.Time
	took               time.Duration
}

func (v *visit) trace(e api.Event) (*trace, error) {
	spans, err := v.direct.Trace(v.Context(), e)
	if err != nil {
		return nil, err
	}
	parts := traceParts(e, spans)
	begin, end := parts[0].at, parts[0].at
	for _, p := range parts {
		if p.at.Before(begin) {
			begin = p.at
		}
		if last := p.at.Add(p.took); last.After(end) {
			end = last
		}
	}
	whole := max(end.Sub(begin), time.Microsecond)
	t := &trace{ID: e.TraceID, Total: span(whole)}
	for _, p := range parts {
		t.Lines = append(t.Lines, p.line(p.at.Sub(begin), whole))
	}
	return t, nil
}

func traceParts(e api.Event, spans []api.Span) (parts []tracePart) {
	for _, s := range spans {
		tone := "neutral"
		if s.Status == "Error" {
			tone = "bad"
		}
		parts = append(parts, tracePart{s.Name, tone, s.Kind, s.Start, s.Duration})
	}
	if len(parts) == 0 { // traces are sampled, and may be stored for a shorter time
		parts = append(parts, tracePart{"received", "neutral", "", e.ReceivedAt, 0})
	}
	parts = append(parts, tracePart{"stored in ClickHouse", "second", "", e.StoredAt, 0})
	for _, d := range e.Deliveries {
		if d.ReplayID != uuid.Nil {
			continue
		}
		for _, a := range d.Attempts {
			parts = append(parts, tracePart{"attempt " + number(int(a.Number)) + " at " + d.Endpoint, labelOf("outcome", a.Outcome).Tone,
				statusText(a.StatusCode), a.StartedAt, milliseconds(a.DurationMS)})
		}
	}
	return parts
}

func (p tracePart) line(after, whole time.Duration) traceLine {
	const all, minimum = 1000.0, 10.0
	line := traceLine{Name: p.name, Tone: p.tone, Detail: p.detail, After: "0"}
	if after != 0 {
		line.After = "+" + span(after)
	}
	if p.took > 0 {
		line.Took = span(p.took)
	}
	line.Width = max(all*float64(p.took)/float64(whole), minimum)
	line.X = min(all*float64(after)/float64(whole), all-line.Width)
	return line
}
